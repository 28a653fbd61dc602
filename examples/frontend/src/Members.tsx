import { useApolloClient, useMutation } from "@apollo/client/react";
import { useEffect, useRef, useState } from "react";
import { graphql } from "../build/gql";
import type { CustomerGroupMemberAction, CustomerGroupMemberStatus, GroupQuery, GroupQueryVariables } from "../build/gql/graphql";
import { Loading, Problems, count } from "./parts";

const CHANGE = graphql(`
  mutation ChangeMembers($group: ID!, $add: [ID!]!, $remove: [ID!]!) {
    updateCustomerGroupMembers(
      input: { customerGroup: { id: $group }, addCustomerUids: $add, removeCustomerUids: $remove }
    ) {
      addedCustomerIds
      removedCustomerIds
      results {
        customerId
        customerUid
        action
        status
        error {
          code
          message
        }
      }
      userErrors {
        code
        message
        retryAfter
      }
    }
  }
`);

const NAME = graphql(`
  fragment CustomerName on Customer {
    displayName
  }
`);

type Outcomes = Record<CustomerGroupMemberStatus, string>;
const OUTCOMES: Record<CustomerGroupMemberAction, Outcomes> = {
  ADD: {
    ACCEPTED: "Is a member now",
    UNCHANGED: "Was a member already",
    PLANNED: "Would be added",
    FAILED: "Not added",
    UNKNOWN: "Perhaps added",
  },
  REMOVE: {
    ACCEPTED: "Is no member now",
    UNCHANGED: "Was no member",
    PLANNED: "Would be removed",
    FAILED: "Not removed",
    UNKNOWN: "Perhaps removed",
  },
};

export const PAGE = 20;
/** Which page of the members. */
export type Window = Omit<GroupQueryVariables, "id">;

type Props = {
  group: string;
  connection: NonNullable<GroupQuery["customerGroup"]>["customers"];
  loading: boolean;
  onTurn: (to: Window) => void;
};

/** A page of a group's members, with forms to add some and to remove those that are ticked. */
export function Members({ group, connection, loading, onTurn }: Props) {
  const { cache } = useApolloClient();
  const [ticked, setTicked] = useState<readonly string[]>([]);
  const [uids, setUids] = useState("");
  const [change, { data, error, loading: changing, reset }] = useMutation(CHANGE, {
    errorPolicy: "all",
    // Rows have moved to other pages: those that are shown are read again.
    update: () => void cache.evict({ id: `CustomerGroup:${group}`, fieldName: "customers" }),
  });
  const payload = data?.updateCustomerGroupMembers;
  const results = payload?.results ?? [];
  const done = payload ? payload.addedCustomerIds.length + payload.removedCustomerIds.length : 0;
  // Whoever was added may have been a member before. Whoever was removed stood in the list.
  const removed = results.filter(({ action, status }) => action === "REMOVE" && status === "ACCEPTED");
  const summary = useRef<HTMLParagraphElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => summary.current?.focus(), [data]);

  /** Whom it could not add or remove stays in the form, so that it can be sent again. */
  async function send({ add = [], remove = [] }: { add?: readonly string[]; remove?: readonly string[] }) {
    const answer = await change({ variables: { group, add: [...add], remove: [...remove] } });
    const told = answer.data?.updateCustomerGroupMembers?.results;
    if (!told?.length) return;
    const open = told.filter(({ status }) => status === "FAILED" || status === "UNKNOWN");
    const left = (action: CustomerGroupMemberAction) =>
      open.filter((each) => each.action === action).map((each) => each.customerUid);
    setUids(left("ADD").join(" "));
    setTicked(left("REMOVE"));
  }

  function turn(to: Window) {
    onTurn(to);
    heading.current?.focus();
  }

  const nameOf = (id: string) => cache.readFragment({ id: `Customer:${id}`, fragment: NAME })?.displayName;
  const { totalCount, nodes = [], pageInfo } = connection ?? {};

  return (
    <>
      <form className="panel" action={() => send({ add: uids.split(/[\s,;]+/).filter(Boolean) })}>
        <label>
          Add customers, by their uids
          <input
            value={uids}
            onChange={({ target }) => setUids(target.value)}
            placeholder="c00115, c00116"
            required
            autoComplete="off"
            spellCheck={false}
          />
        </label>
        <div className="buttons">
          <button className="primary" disabled={changing}>
            Add
          </button>
        </div>
      </form>

      <Problems error={error} userErrors={payload?.userErrors ?? []} />
      {results.length > 0 && (
        <div className={done === results.length ? "notice good" : "notice"}>
          <p ref={summary} tabIndex={-1}>
            {results[0]?.action === "ADD" ? "Added" : "Removed"}: {done} of {count(results.length, "customer")}
          </p>
          <ul>
            {results.map(({ customerId, customerUid, action, status, error }) => (
              <li key={customerId} className={status.toLowerCase()}>
                <span>
                  {nameOf(customerId)} <code>{customerUid}</code>
                </span>
                <span>
                  {OUTCOMES[action][status]}
                  {error && (
                    <>
                      . {error.message} <code>{error.code}</code>
                    </>
                  )}
                </span>
              </li>
            ))}
          </ul>
          <div className="buttons">
            {removed.length > 0 && (
              <button disabled={changing} onClick={() => send({ add: removed.map(({ customerUid }) => customerUid) })}>
                Undo
              </button>
            )}
            <button onClick={reset}>Close</button>
          </div>
        </div>
      )}

      <div className="bar">
        <h3 ref={heading} tabIndex={-1}>{totalCount == null ? "Members" : count(totalCount, "member")}</h3>
        {ticked.length > 0 && (
          <button disabled={changing} onClick={() => send({ remove: ticked })}>
            Remove {ticked.length}
          </button>
        )}
      </div>
      {connection && nodes.length === 0 && (
        <p className="empty">
          {pageInfo?.hasPreviousPage ? <button onClick={() => turn({ first: PAGE })}>To the first page</button> : "Nobody is in this group yet."}
        </p>
      )}
      <ul className="rows" aria-label="Members" aria-busy={loading}>
        {nodes.map(({ id, uid, displayName, email, city }) => (
          <li key={id}>
            <label>
              <input
                type="checkbox"
                checked={ticked.includes(uid)}
                onChange={({ target }) =>
                  setTicked(target.checked ? [...ticked, uid] : ticked.filter((each) => each !== uid))
                }
              />
              <span>
                {displayName ?? uid}
                <small>{email}</small>
              </span>
              <small>
                {city}
                <code>{uid}</code>
              </small>
            </label>
          </li>
        ))}
      </ul>
      {loading && !connection && <Loading rows={8} />}
      {(pageInfo?.hasPreviousPage || pageInfo?.hasNextPage) && (
        <div className="buttons" role="group" aria-label="Pages of members">
          <button
            disabled={loading || !pageInfo.hasPreviousPage}
            onClick={() => turn({ last: PAGE, before: pageInfo.startCursor })}
          >
            Previous
          </button>
          <button
            disabled={loading || !pageInfo.hasNextPage}
            onClick={() => turn({ first: PAGE, after: pageInfo.endCursor })}
          >
            Next
          </button>
        </div>
      )}
    </>
  );
}
