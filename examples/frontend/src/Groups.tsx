import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { graphql } from "../build/gql";
import type { CustomerGroupSortField } from "../build/gql/graphql";
import { Loading, Problems, count } from "./parts";

const GROUPS = graphql(`
  query Groups($after: String, $orderBy: CustomerGroupSort) {
    tenant {
      id
      uid
      backend {
        capabilities {
          customerGroupSortFields
        }
      }
    }
    customerGroups(first: 30, after: $after, orderBy: $orderBy) {
      totalCount
      edges {
        cursor
        node {
          id
          name
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
`);

const ORDERS: Record<CustomerGroupSortField, string> = {
  NAME: "By name",
  CREATED_AT: "Newest",
  LAST_MODIFIED_AT: "Last changed",
};

export function Groups({ chosen }: { chosen: string }) {
  const [field, setField] = useState<CustomerGroupSortField>();
  const { data, previousData, error, loading, fetchMore, refetch } = useQuery(GROUPS, {
    variables: { orderBy: field ? { field, direction: field === "NAME" ? "ASC" : "DESC" } : null },
    errorPolicy: "all",
  });
  const { tenant, customerGroups: groups } = data ?? previousData ?? {};
  const fields = tenant?.backend.capabilities.customerGroupSortFields ?? [];
  const rest = (groups?.totalCount ?? 0) - (groups?.edges.length ?? 0);
  return (
    <nav aria-label="Groups">
      <div className="bar">
        <p role="status">{groups?.totalCount != null && count(groups.totalCount, "group")}</p>
        {fields.length > 0 && (
          <select
            aria-label="Order"
            value={field ?? ""}
            onChange={({ target }) => setField(fields.find((each) => each === target.value))}
          >
            <option value="">Default order</option>
            {fields.map((each) => (
              <option key={each} value={each}>
                {ORDERS[each]}
              </option>
            ))}
          </select>
        )}
      </div>
      <Problems error={error} again={() => refetch()} />
      {groups?.edges.length === 0 && <p className="empty">There are no groups yet.</p>}
      <ul className="rows">
        {groups?.edges.map(({ node }) => (
          <li key={node.id}>
            <a href={`#${encodeURIComponent(node.id)}`} aria-current={node.id === chosen ? "page" : undefined}>
              {node.name}
            </a>
          </li>
        ))}
      </ul>
      {loading && <Loading rows={groups ? 3 : 12} />}
      {groups?.pageInfo.hasNextPage && (
        <button disabled={loading} onClick={() => fetchMore({ variables: { after: groups.pageInfo.endCursor } })}>
          Show {Math.min(30, rest)} more of {rest}
        </button>
      )}
    </nav>
  );
}
