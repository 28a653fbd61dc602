async def test_a_group_reached_twice_is_fetched_once(gateway, flow):
    """Two customers in the same group cost one request for it."""
    flow.add_group("gold", "Gold members")
    flow.add_customer("ada", "gold")
    flow.add_customer("bob", "gold")

    await gateway.query(
        '{ customerGroup(by: {uid: "gold"}) { customers { nodes { customerGroups { id } } } } }'
    )

    assert flow.calls == ["GET customer-groups/gold", "GET customer-groups/gold/customers"]
