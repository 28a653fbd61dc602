import { useMutation } from "@apollo/client/react";
import { useState } from "react";
import { graphql } from "../build/gql";
import { Problems, when } from "./parts";

const RENAME = graphql(`
  mutation Rename($id: ID!, $name: String!, $expectedRevision: String) {
    updateCustomerGroup(input: { customerGroup: { id: $id }, name: $name, expectedRevision: $expectedRevision }) {
      customerGroup {
        id
        name
        revision
        lastModifiedAt
        lastModifiedBy
      }
      userErrors {
        code
        message
        retryAfter
      }
    }
  }
`);

type Named = { id: string; name: string; revision: string | null };

/** A form for a group's name. If somebody else was faster, the user chooses between the two names. */
export function Rename({ group }: { group: Named }) {
  /** The group as it was when the form was opened; null once it is closed again. */
  const [opened, setOpened] = useState<Named | null>();
  const [name, setName] = useState("");
  const [rename, { data, error, loading, reset }] = useMutation(RENAME, { errorPolicy: "all" });
  const { customerGroup: current, userErrors = [] } = data?.updateCustomerGroup ?? {};
  const conflict = userErrors.some(({ code }) => code === "REVISION_CONFLICT") ? current : null;

  function open() {
    reset();
    setOpened(group);
    setName(group.name);
  }

  async function save({ id, revision }: Named) {
    const answer = await rename({ variables: { id, name, expectedRevision: revision } });
    if (!answer.error && answer.data?.updateCustomerGroup?.userErrors.length === 0) setOpened(null);
  }

  if (!opened)
    return (
      <button onClick={open} autoFocus={opened === null}>
        Rename
      </button>
    );
  return (
    <form action={() => save(conflict ?? opened)} className="panel">
      <label>
        Name
        <input value={name} onChange={({ target }) => setName(target.value)} required autoFocus />
      </label>
      {conflict ? (
        <p role="alert" className="notice">
          <span>
            Somebody else has changed this group while you were typing. Its name is now{" "}
            <strong>{conflict.name}</strong>
            {conflict.lastModifiedAt && ` (${when(conflict.lastModifiedAt)})`}.
          </span>
        </p>
      ) : (
        <Problems error={error} userErrors={userErrors} />
      )}
      <div className="buttons">
        <button type="button" onClick={() => setOpened(null)}>
          {conflict ? `Keep “${conflict.name}”` : "Cancel"}
        </button>
        <button className="primary" disabled={loading}>
          {conflict ? `Use “${name}”` : "Save"}
        </button>
      </div>
    </form>
  );
}
