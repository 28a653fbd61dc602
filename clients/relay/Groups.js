// Lists of groups and members, and what changes them, for Relay's compiler.
import { graphql, useLazyLoadQuery, usePaginationFragment } from "react-relay";

/** The groups of a tenant, newest first. */
export function useGroups(variables) {
  const { tenant } = useLazyLoadQuery(
    graphql`
      query GroupsQuery($tenantUid: ID, $first: Int) {
        tenant(uid: $tenantUid) {
          ...Groups_tenant @arguments(first: $first)
        }
      }
    `,
    variables,
  );
  return usePaginationFragment(
    graphql`
      fragment Groups_tenant on Tenant
      @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
      @refetchable(queryName: "GroupsPaginationQuery") {
        customerGroups(
          first: $first
          after: $after
          orderBy: { field: CREATED_AT, direction: DESC }
        ) @connection(key: "Groups_customerGroups") {
          __id
          edges {
            node {
              id
              name
              revision
            }
          }
        }
      }
    `,
    tenant,
  );
}

/** The members of a group, from any row on, both ways. */
export function useMembers(variables) {
  const { customerGroup } = useLazyLoadQuery(
    graphql`
      query GroupsMembersQuery($id: ID!, $first: Int, $after: String) {
        customerGroup(by: { id: $id }) {
          ...Groups_members @arguments(first: $first, after: $after)
        }
      }
    `,
    variables,
  );
  return usePaginationFragment(
    graphql`
      fragment Groups_members on CustomerGroup
      @argumentDefinitions(
        first: { type: "Int" }
        after: { type: "String" }
        last: { type: "Int" }
        before: { type: "String" }
      )
      @refetchable(queryName: "GroupsMembersPaginationQuery") {
        customers(first: $first, after: $after, last: $last, before: $before)
          @connection(key: "Groups_customers") {
          __id
          edges {
            node {
              id
              displayName
            }
          }
        }
      }
    `,
    customerGroup,
  );
}

/** Groups of this tenant and of another, which may fail alone. */
export const useTwoTenants = (other) =>
  useLazyLoadQuery(
    graphql`
      query GroupsTwoTenantsQuery($other: ID!) {
        here: customerGroups(first: 1) {
          nodes {
            id
            name
          }
        }
        there: customerGroups(tenantUid: $other, first: 1) @catch(to: RESULT) {
          nodes {
            id
            name
          }
        }
      }
    `,
    { other },
  );

export const Rename = graphql`
  mutation GroupsRenameMutation($id: ID!, $name: String!, $revision: String) {
    updateCustomerGroup(
      input: { customerGroup: { id: $id }, name: $name, expectedRevision: $revision }
    ) {
      customerGroup {
        id
        name
        revision
      }
      userErrors {
        code
      }
    }
  }
`;

export const Create = graphql`
  mutation GroupsCreateMutation($name: String!, $lists: [ID!]!) {
    createCustomerGroup(input: { name: $name }) {
      customerGroup @prependNode(connections: $lists, edgeTypeName: "CustomerGroupEdge") {
        id
        name
        revision
      }
      userErrors {
        message
      }
    }
  }
`;

export const Delete = graphql`
  mutation GroupsDeleteMutation($id: ID!, $lists: [ID!]!) {
    deleteCustomerGroup(input: { customerGroup: { id: $id } }) {
      deletedId @deleteEdge(connections: $lists) @deleteRecord
      userErrors {
        message
      }
    }
  }
`;

export const Remove = graphql`
  mutation GroupsRemoveMutation($id: ID!, $uids: [ID!]!, $lists: [ID!]!) {
    updateCustomerGroupMembers(input: { customerGroup: { id: $id }, removeCustomerUids: $uids }) {
      removedCustomerIds @deleteEdge(connections: $lists)
      userErrors {
        message
      }
    }
  }
`;
