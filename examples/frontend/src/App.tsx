import { useApolloClient, useReactiveVar } from "@apollo/client/react";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { QUESTIONS, session } from "./client";
import { Group } from "./Group";
import { Groups } from "./Groups";

/** The `id` of the group that the address names. */
const chosenGroup = () => decodeURIComponent(location.hash.slice(1));

function onNavigation(changed: () => void) {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}

export function App() {
  const { token, asked } = useReactiveVar(session);
  const id = useSyncExternalStore(onNavigation, chosenGroup);
  return (
    <>
      <header>
        <img src="/icon.svg" alt="" />
        <h1>Customer groups</h1>
        {token && <button onClick={() => session({ token, asked: "change" })}>Token</button>}
      </header>
      {token && (
        <main className={id ? "group-chosen" : ""}>
          <Groups chosen={id} />
          {id ? <Group key={id} id={id} /> : <p className="empty">Choose a group to see its members.</p>}
        </main>
      )}
      {asked && <TokenDialog question={QUESTIONS[asked]} />}
    </>
  );
}

function TokenDialog({ question }: { question: string }) {
  const client = useApolloClient();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);

  function use(form: FormData) {
    const changed = session().asked === "change";
    session({ token: String(form.get("token")).trim() });
    dialog.current?.close();
    // Somebody else may see other data. What fails is shown where it is missing.
    if (changed) client.resetStore().catch(() => {});
  }

  function onClose() {
    const { token, asked } = session();
    if (asked === "change") session({ token });
    else if (asked) dialog.current?.showModal(); // there is nothing to go on with
  }

  return (
    <dialog ref={dialog} aria-labelledby="question" onClose={onClose}>
      <form action={use}>
        <p id="question">{question}</p>
        <label>
          Token
          <input
            name="token"
            type="password"
            autoComplete="off"
            required
            defaultValue={import.meta.env["VITE_TOKEN"]}
          />
        </label>
        <button className="primary">Use this token</button>
      </form>
    </dialog>
  );
}
