import { useQuery } from "@apollo/client/react";
import { useEffect, useRef, useState } from "react";
import { graphql } from "../build/gql";
import { Members, PAGE, type Window } from "./Members";
import { Loading, Problems, when } from "./parts";
import { Rename } from "./Rename";

const GROUP = graphql(`
  query Group($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    customerGroup(by: { id: $id }) {
      id
      name
      revision
      lastModifiedAt
      lastModifiedBy
      customers(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        nodes {
          id
          uid
          displayName
          email
          city
        }
        pageInfo {
          startCursor
          endCursor
          hasPreviousPage
          hasNextPage
        }
      }
    }
  }
`);

export function Group({ id }: { id: string }) {
  const [page, setPage] = useState<Window>({ first: PAGE });
  const { data, previousData, error, loading, refetch } = useQuery(GROUP, {
    variables: { id, ...page },
    errorPolicy: "all",
  });
  const group = data ? data.customerGroup : previousData?.customerGroup;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);

  return (
    <section aria-labelledby="group">
      <a className="back" href="#">
        ‹ All groups
      </a>
      <div className="head">
        <h2 id="group" ref={heading} tabIndex={-1}>
          {group?.name ?? (loading ? "…" : "No group")}
        </h2>
        {group && <Rename group={group} />}
        {group?.lastModifiedAt && (
          <p className="quiet">
            Last changed {when(group.lastModifiedAt)}
            {group.lastModifiedBy && ` by ${group.lastModifiedBy}`}
          </p>
        )}
      </div>
      <Problems error={error} again={() => refetch()} />
      {group === null && !error && <p className="empty">This group does not exist, or not any more.</p>}
      {group && <Members group={group.id} connection={group.customers} loading={loading} onTurn={setPage} />}
      {loading && !group && <Loading rows={8} />}
    </section>
  );
}
