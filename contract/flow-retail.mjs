// Every query and change that makes a REST call of Flow Retail, in the ways that change the request.

const GROUP = "uid name createdBy createdAt lastModifiedBy lastModifiedAt";
const CUSTOMER = `uid displayName customerType addresses { uid type } contacts { uid role }
  consents { uid status } extensions { code } credit { limit balance } defaultStore { uid }
  accountManager { tenantUserUid } ehf { enabled } relevance customerGroupUids`;
const sorted = (fields) =>
  fields.flatMap((field) => ["ASC", "DESC"].map((way) => `orderBy: {field: ${field}, direction: ${way}}`));
const TIMES = ["CREATED_AT", "LAST_MODIFIED_AT"];
const PAGE = "pageInfo { startCursor endCursor hasNextPage } totalCount";

/** Asks all of it; `ask` gives the body of a response. The tenant is the simulator's. */
export async function run(ask) {
  const data = async (...asked) => {
    const { data, errors } = await ask(...asked);
    if (errors) throw new Error(`${asked[0]}: ${JSON.stringify(errors)}`);
    return data;
  };
  const pages = async (list, fields) => {
    let rows = [];
    const query = (after) => list(`first: 50${after ? `, after: "${after}"` : ""}`, `${fields} ${PAGE}`);
    for (let after = null; ; ) {
      const found = await query(after);
      rows = [...rows, ...found.nodes];
      if (!found.pageInfo.hasNextPage) return rows;
      after = found.pageInfo.endCursor;
    }
  };
  const groupList = async (window, fields) =>
    (await data(`{ customerGroups(${window}) { ${fields} } }`)).customerGroups;
  const memberList = (uid) => async (window, fields) =>
    (await data(`{ customerGroup(by: {uid: "${uid}"}) { customers(${window}) { ${fields} } } }`))
      .customerGroup.customers;

  // All groups and their members, as far as the simulator has any: so many answers are judged.
  const groups = await pages(groupList, `nodes { ${GROUP} }`);
  for (const { uid } of groups.slice(0, 20)) await pages(memberList(uid), `nodes { ${CUSTOMER} }`);
  const [{ uid }] = groups;
  const listed = [
    [groupList, sorted(["NAME", ...TIMES])],
    [memberList(uid), sorted(["DISPLAY_NAME", "FIRSTNAME", "LASTNAME", "COMPANY_NAME", "EMAIL", ...TIMES])],
  ];
  for (const [list, orders] of listed) {
    for (const order of ["", ...orders]) {
      const { pageInfo } = await list(`first: 3 ${order}`, `nodes { uid } ${PAGE}`);
      for (const window of [
        "first: 100",
        "first: 7, offset: 30",
        "last: 5",
        "first: 0",
        "offset: 100000",
        `first: 4, after: "${pageInfo.endCursor}"`,
        `last: 2, before: "${pageInfo.endCursor}"`,
      ])
        await list(`${window} ${order}`, `nodes { uid } ${PAGE}`);
      await list(order || "first: 1", "totalCount");
    }
  }
  await data(`{ customerGroups(first: 2) { nodes { customers(first: 2) { nodes { customerGroups { uid } } } } } }`);
  for (const by of [uid, "no-such-group"]) await data(`{ customerGroup(by: {uid: "${by}"}) { ${GROUP} } }`);

  const change = async (name, input, shown = "customerGroup { uid revision }") => {
    const found = await data(`mutation { ${name}(input: ${input}) { ${shown} userErrors { code message } } }`);
    return found[name];
  };
  const made = "judged_group-1";
  const members = (await memberList(uid)("first: 7", "nodes { uid }")).nodes.map(({ uid }) => uid);
  const edit = (add, remove) =>
    change(
      "updateCustomerGroupMembers",
      `{customerGroup: {uid: "${made}"}, addCustomerUids: ${JSON.stringify(add)}, removeCustomerUids: ${JSON.stringify(remove)}}`,
      "results { status }",
    );
  await change("createCustomerGroup", `{uid: "${made}", name: "Judged ÆØÅ"}`);
  const again = await change("createCustomerGroup", `{uid: "${made}", name: "Judged"}`);
  const { customerGroup: unchosen } = await change("createCustomerGroup", `{name: "Without a uid"}`);
  const { customerGroup } = await change("updateCustomerGroup", `{customerGroup: {uid: "${made}"}, name: "Renamed"}`);
  const expected = `expectedRevision: "${customerGroup.revision}"`;
  await change("updateCustomerGroup", `{customerGroup: {uid: "${made}"}, name: "Again", ${expected}}`);
  await edit(members, []);
  await edit(members.slice(0, 1), members.slice(1, 4));
  await edit([], [members[0]]);
  await edit([members[0], "no-such-customer"], []);
  await change(
    "setCustomerGroupMembers",
    `{customerGroup: {uid: "${made}"}, customerUids: ${JSON.stringify(members.slice(2, 5))}}`,
    "results { status }",
  );
  await change("deleteCustomerGroup", `{customerGroup: {uid: "${made}"}, onlyIfEmpty: true}`, "deletedUid");
  await change("deleteCustomerGroup", `{customerGroup: {uid: "${made}"}}`, "deletedUid");
  await change("deleteCustomerGroup", `{customerGroup: {uid: "${unchosen.uid}"}}`, "deletedUid");
  if (again.userErrors[0]?.code !== "DUPLICATE") throw new Error("The uid in use was not refused.");
}
