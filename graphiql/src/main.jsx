import "./workers.js";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "graphiql/graphiql.css";
import "./page.css";
import { pick, useGraphiQL } from "@graphiql/react";
import { GraphiQL } from "graphiql";
// GraphiQL imports this one when it needs it, and the styles of what is imported later are lost.
import { editor } from "monaco-graphql/esm/monaco-editor.js";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";
import icon from "../../gateway/http/cdn/icon.svg";
import { Costs } from "./costs.jsx";
import { post } from "./post.js";

// The examples explain themselves in comments, which are wider than half a window.
editor.onDidCreateEditor((created) => created.updateOptions({ wordWrap: "on" }));

/** Below each operation, its variables are in front where it has some, and else the headers. */
function VariablesInFront() {
  const { activeTabIndex, tabs } = useGraphiQL(pick("activeTabIndex", "tabs"));
  const { id, variables } = tabs[activeTabIndex];
  const shown = variables ? "variables" : "headers";
  useEffect(() => {
    document.querySelector(`.graphiql-editor-tools [data-name=${shown}]`).click();
  }, [id]); // not while they are typed
  return null;
}

const page = document.getElementById("graphiql");

createRoot(page).render(
  <GraphiQL
    fetcher={(operation, { headers } = {}) => post(operation, headers)}
    defaultTabs={EXAMPLES}
    defaultHeaders={page.dataset.headers}
    defaultEditorToolsVisibility="headers"
    // A token must not outlive the page: not with the tabs, nor in the history, which stores the
    // headers of what was run whatever the first of these says.
    shouldPersistHeaders={false}
    plugins={[]}
  >
    <VariablesInFront />
    <GraphiQL.Logo>
      <span className="logo">
        <img src={new URL(icon, import.meta.url)} alt="" />
        Customer groups
      </span>
    </GraphiQL.Logo>
    <GraphiQL.Footer>
      <Costs />
      <p className="hint">
        Each tab is an example. Edits stay in this browser; Headers are gone with the page.
      </p>
    </GraphiQL.Footer>
  </GraphiQL>,
);
