// Resolvers for what the REST API names otherwise, or says by an empty string; the rest is default.
import { TENANT } from "./flow-retail.mjs";

const connection = (page) => page && { nodes: page.items };

export const resolvers = {
  Query: {
    customerGroups: async (_, { first }, { api }) => connection(await api.groups(first)),
    customerGroup: (_, { by }, { api }) => api.group(by.uid),
  },
  Mutation: {
    updateCustomerGroupMembers: (_, { input }, { api }) =>
      api.addMembers(input.customerGroup.uid, input.addCustomerUids),
  },
  CustomerGroup: {
    uid: (group) => group.customerGroupUid,
  },
  Customer: {
    id: ({ customerUid }) =>
      Buffer.from(`Customer:${TENANT}:${customerUid}`).toString("base64url"),
    uid: (customer) => customer.customerUid,
    tenantUid: () => TENANT,
    parentUid: (customer) => customer.customerParentUid || null,
    pricelistUid: (customer) => customer.pricelistUid || null,
  },
  CustomerAddress: { uid: (address) => address.customerAddressUid },
  CustomerContact: { uid: (contact) => contact.customerContactUid },
  CustomerExtension: {
    code: (extension) => extension.extensionCode,
    organizationUid: (extension) => extension.organizationUid || null,
  },
  CustomerConsent: { uid: (consent) => consent.consentUid },
  CustomerStore: { uid: (store) => store.storeUid },
  AccountManager: { tenantUserUid: (manager) => manager.tenantUserUid || null },
};

// The members of a group, for Apollo's resolver and mercurius' loader.
export const members = async (api, uid, first) => connection(await api.members(uid, first));
