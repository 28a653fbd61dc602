// Below the answer: which REST calls the operation made, and which it would make as it is typed.
import { Range, pick, tryParseJSONC, useGraphiQL } from "@graphiql/react";
import { parse } from "graphql";
import { useEffect, useMemo, useState } from "react";
import { post } from "./post.js";
import { fieldsAt } from "./served.js";

const TABS = { "REST calls": RestCalls, Explain };
const PHONE = "(max-width: 700px)";
/** After this pause in typing, in milliseconds. */
const PAUSE = 300;

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const milliseconds = (time) => (time < 10 ? time.toFixed(1) : Math.round(time));
const size = (bytes) => (bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`);
const code = (texts) => texts.map((text, at) => [at > 0 && ", ", <code key={text}>{text}</code>]);

/** What is known of the number of `calls` before they are made. */
function bound(calls, most = calls.reduce((sum, { atMost }) => sum + atMost, 0)) {
  if (!calls.some(({ metered }) => metered)) return `at most ${most}`;
  return most ? `at most ${most}, and more as they turn up` : "as many as turn up";
}

/** Whether it was answered by a call that the operation had made already. */
const within = ({ source }) => source === "operation";

/** Arrow keys, Home and End move the focus among what `selector` finds. */
function step(event, selector) {
  const all = [...event.currentTarget.querySelectorAll(selector)];
  const at = all.indexOf(document.activeElement);
  const [next, last] = [at + 1, all.length - 1];
  const keys = { ArrowDown: next, ArrowRight: next, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: last };
  const to = keys[event.key];
  if (to === undefined) return;
  event.preventDefault();
  all[to]?.focus();
}

/** Both tabs, and the panel of the one that is open; a click on that closes it. */
export function Costs() {
  const { activeTabIndex, tabs } = useGraphiQL(pick("activeTabIndex", "tabs"));
  const [open, setOpen] = useState(matchMedia(PHONE).matches ? null : "REST calls");
  const Content = TABS[open];
  return (
    <section className="costs" aria-label="What it costs">
      <div role="tablist" aria-label="What it costs" onKeyDown={(event) => step(event, "[role=tab]")}>
        {Object.keys(TABS).map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`costs-${name}`}
            aria-controls={name === open ? "costs" : undefined}
            aria-expanded={name === open}
            aria-selected={name === open}
            tabIndex={name === (open ?? "REST calls") ? 0 : -1}
            onClick={() => setOpen(name === open ? null : name)}
          >
            {name}
          </button>
        ))}
      </div>
      {open && (
        <div role="tabpanel" id="costs" aria-labelledby={`costs-${open}`}>
          <Content key={tabs[activeTabIndex].id} tab={tabs[activeTabIndex]} />
        </div>
      )}
    </section>
  );
}

/**
 * Calls by hops, one a row. The fields that the focused one is for, or the one under the pointer, are
 * marked in the operation; Enter or a click keeps them marked.
 */
function Calls({ label, hops, title, row }) {
  const { queryEditor, operationName } = useGraphiQL(pick("queryEditor", "operationName"));
  const calls = hops.flat();
  // One that has the focus is entered too, and stays so when it loses it: Tab comes back to it.
  const [{ entered, focused, hovered, pinned }, setState] = useState({});
  const change = (part) => setState((state) => ({ ...state, ...part }));
  const pin = (call) => change({ pinned: call === pinned ? undefined : call });
  const shown = pinned ?? hovered ?? focused;
  const paths = calls.includes(shown) ? shown.fields.join(" ") : "";
  useEffect(() => {
    if (!queryEditor || !paths) return undefined;
    const marks = marked(queryEditor, operationName, paths.split(" "));
    return () => marks.clear();
  }, [queryEditor, operationName, paths]);
  const entry = calls.includes(entered) ? entered : calls[0];
  return (
    <div
      role="listbox"
      aria-label={label}
      onKeyDown={(event) => {
        step(event, "[role=option]");
        if (event.key === "Escape") change({ pinned: undefined, hovered: undefined, focused: undefined });
        else if (["Enter", " "].includes(event.key)) (event.preventDefault(), pin(entered));
      }}
    >
      {hops.map((hop, at) => (
        <div key={at} role="group" aria-labelledby={`hop-${at}`}>
          <div role="presentation" className="hop" id={`hop-${at}`}>
            Hop {hop[0].hop ?? at + 1}: {title(hop)}
          </div>
          {hop.map((call, nth) => (
            <div
              key={nth}
              role="option"
              aria-selected={call === pinned}
              className={call === shown ? "shown" : undefined}
              tabIndex={call === entry ? 0 : -1}
              onFocus={() => change({ entered: call, focused: call })}
              onBlur={() => change({ focused: undefined })}
              onMouseEnter={() => change({ hovered: call })}
              onMouseLeave={() => change({ hovered: undefined })}
              onClick={() => pin(call)}
            >
              {row(call)}
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}

/** Marks of what has `paths` in the editor's text; none while that is not GraphQL. */
function marked(editor, operationName, paths) {
  const model = editor.getModel();
  let fields = [];
  try {
    fields = fieldsAt(editor.getValue(), operationName, paths);
  } catch {}
  const ranges = fields.map(({ loc, selectionSet }) => {
    const written = editor
      .getValue()
      .slice(loc.start, selectionSet?.loc.start ?? loc.end)
      .trimEnd();
    const ends = [loc.start, loc.start + written.length].map((offset) => model.getPositionAt(offset));
    return Range.fromPositions(...ends);
  });
  if (ranges.length) editor.revealRangeInCenterIfOutsideViewport(ranges[0]);
  return editor.createDecorationsCollection(
    ranges.map((range) => ({ range, options: { inlineClassName: "served" } })),
  );
}

const Template = ({ method, template }) => (
  <code>
    <b>{method}</b> {template}
  </code>
);

function What({ children }) {
  return (
    <details>
      <summary>What is this?</summary>
      {children}
      <p>
        A hop is a round of calls that need nothing of each other, so they run at the same time. The next hop
        needs what they answer: each adds its slowest call to the wait. For fewer hops, leave out lists below
        lists, and look up by <code>uid</code> what you know already. For fewer calls, ask for a smaller page
        (<code>first</code>), above all where each row costs a call.
      </p>
      <p>
        Point at a call, or go there by Tab and arrow keys: the fields that it is for are marked in the
        operation. A click or Enter keeps them marked, Escape lets go.
      </p>
    </details>
  );
}

function RestCalls({ tab: { response } }) {
  const isFetching = useGraphiQL((state) => state.isFetching);
  const answer = useMemo(() => {
    try {
      return JSON.parse(response);
    } catch {
      return null;
    }
  }, [response]);
  const calls = answer?.extensions?.rest?.calls ?? [];
  return (
    <>
      <p role="status">{isFetching ? "It is running …" : told(response, answer)}</p>
      <What>
        <p>
          Each row is a REST call that the gateway made for this operation. Its bar begins and ends on one
          axis: the time since the request came in. A dotted line is a pause before a call is sent again, a
          striped bar a call that failed, and a hollow one was answered by a call that this operation had made
          already.
        </p>
      </What>
      {calls.length > 0 && <Waterfall calls={calls} />}
    </>
  );
}

/** What is told of the calls; or else why they are not. */
function told(response, answer) {
  if (!response) return "Run the operation, and its REST calls are listed here.";
  if (!answer || !("data" in answer))
    return `It was not run, so it made no REST call: ${answer?.errors?.[0].message ?? "there is no answer."}`;
  const rest = answer.extensions?.rest;
  if (rest) return compared(rest);
  return "The answer has no extensions.rest: it comes in the development profile alone, where there is room.";
}

/** One sentence on planned against made, and what else there is to know. */
function compared({ planned, made, dropped = 0, calls }) {
  const reused = calls.filter(within).length;
  const again = calls.filter((call) => call.attempt > 1 && !within(call)).length;
  let why = "the worst case that a plan is for.";
  if (again) why = `${again} sent again after a failure, which no plan counts.`;
  else if (made < planned)
    why = `a plan is for the worst case, and ${planned - made} turned out not to be needed.`;
  else if (!made) why = "all of it is known without.";
  return [
    `At most ${counted(planned, "call")} planned, ${made} made: ${why}`,
    reused && `${counted(reused, "read")} took what another call had answered.`,
    dropped && `${counted(dropped, "more call")} not listed: the list ends at ${calls.length}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

function Waterfall({ calls }) {
  const hops = Object.values(Object.groupBy(calls, ({ hop }) => hop));
  const several = new Set(calls.map(({ backend, tenant }) => `${backend} ${tenant}`)).size > 1;
  const end = Math.max(...calls.map((call) => call.end), 0.1);
  // About four ticks, at 1, 2 or 5 times a power of ten; none so near the end that its text has no room.
  const power = 10 ** Math.floor(Math.log10(end / 4));
  const tick = power * [1, 2, 5, 10].find((times) => end / (power * times) <= 5);
  const at = (time) => `${(100 * time) / end}%`;
  const span = (from, to) => ({ left: at(from), width: at(to - from) });
  const ticks = Array.from({ length: Math.floor((0.9 * end) / tick) + 1 }, (_, nth) => nth * tick);
  const before = ({ attempt, ...call }) =>
    calls.findLast(
      (one) =>
        attempt > 1 &&
        !within(call) &&
        one.attempt === attempt - 1 &&
        one.end <= call.start &&
        ["hop", "backend", "tenant", "method", "template"].every((name) => one[name] === call[name]) &&
        one.fields.join() === call.fields.join(),
    );
  return (
    <div className="waterfall" style={{ "--tick": at(tick) }}>
      <div className="axis" aria-hidden="true">
        <div>
          {ticks.map((time) => (
            <span key={time} style={{ left: at(time) }}>
              {+time.toPrecision(3)} ms
            </span>
          ))}
        </div>
      </div>
      <Calls
        label="REST calls, hop by hop"
        hops={hops}
        title={(hop) => counted(hop.filter((call) => !within(call)).length, "call")}
        row={(call) => {
          const { start, end: ends, attempt, status, cause, rows, bytes } = call;
          const reused = within(call);
          const failed = !reused && (cause || !(status < 400));
          const earlier = before(call);
          return (
            <>
              <div>
                <Template {...call} />
                {several && ` ${call.backend}, tenant ${call.tenant}`}
              </div>
              <div className="facts">
                <span>
                  {call.fields.length ? <>for {code(call.fields)}</> : "read ahead, and not needed"}
                </span>
                {attempt > 1 && !reused && <b>attempt {attempt}</b>}
                {earlier && <span>after a pause of {milliseconds(call.start - earlier.end)} ms</span>}
                {failed && <b>✕ {cause ?? "failed"}</b>}
                {reused && <span>answered within the operation</span>}
                {status && !reused && <span>{status}</span>}
                {rows != null && <span>{counted(rows, "row")}</span>}
                {bytes != null && <span>{size(bytes)}</span>}
                {!reused && (
                  <span>
                    {milliseconds(start)} to {milliseconds(ends)} ms
                  </span>
                )}
              </div>
              <div className="track" aria-hidden="true">
                {earlier && <i className="pause" style={span(earlier.end, start)} />}
                <i className={reused ? "within" : failed ? "failed" : undefined} style={span(start, ends)} />
              </div>
            </>
          );
        }}
      />
    </div>
  );
}

/** Whether the gateway is known to explain; nobody may run what is typed. */
let explains = false;

/** What the gateway would do; raises with a reason that can be shown. */
async function explained(operation, headers, signal) {
  parse(operation.query);
  const ask = (what) => post(what, { ...headers, "X-Explain": "true" }, signal);
  // Were the header passed over, this would run nothing.
  explains ||= Boolean((await ask({ query: "{ __typename }" })).extensions?.explain);
  if (!explains)
    throw new Error(
      "This gateway does not explain, as in production: its setting explain is off. So nothing was sent.",
    );
  const { errors, extensions } = await ask(operation);
  if (!extensions?.explain) throw new Error(errors?.[0].message ?? "There is no explanation.");
  return extensions.explain;
}

function Explain({ tab: { query, variables, headers } }) {
  const { operationName, headerEditor } = useGraphiQL(pick("operationName", "headerEditor"));
  const [{ explain, reason }, setState] = useState({});
  useEffect(() => {
    const superseded = new AbortController();
    const typed = setTimeout(async () => {
      try {
        if (!query?.trim()) throw new Error("There is no operation yet.");
        const operation = { query, operationName, variables: tryParseJSONC(variables ?? "") };
        const sent = tryParseJSONC(headerEditor?.getValue());
        setState({ explain: await explained(operation, sent, superseded.signal) });
      } catch ({ message }) {
        if (!superseded.signal.aborted) setState((state) => ({ ...state, reason: message }));
      }
    }, PAUSE);
    return () => (clearTimeout(typed), superseded.abort());
  }, [query, variables, headers, operationName, headerEditor]);
  return (
    <>
      <p role="status">
        {reason}
        {reason && explain && " Below is the last text that was valid. "}
        {!reason && explain && expected(explain)}
        {!reason && !explain && "Asking …"}
      </p>
      <What>
        <p>
          Each row is a REST call that the gateway would make for this operation, as often as the worst case
          needs it. Nothing is called to know it. Some calls turn up as the operation runs: how many groups a
          customer is in is known only then.
        </p>
      </What>
      {explain && (
        <div className={reason ? "stale" : undefined}>
          <Calls
            label={reason ? "Calls of the last valid text" : "Calls that it would make, hop by hop"}
            hops={explain.hops.map(({ calls }) => calls)}
            title={(hop) => bound(hop)}
            row={(call) => (
              <>
                <div>
                  <Template {...call} />
                  <div className="facts">
                    {call.orPagesOf && (
                      <span>
                        or pages of <code>{call.orPagesOf}</code>, where they are fewer
                      </span>
                    )}
                    <span>for {code(call.fields)}</span>
                    {call.shared?.length > 0 && <span>and at no further cost {code(call.shared)}</span>}
                    <span>
                      {call.backend}, tenant {call.tenant}
                    </span>
                  </div>
                  {call.cheaper && <div className="cheaper">Cheaper: {call.cheaper}</div>}
                </div>
                <b className="bound">{bound([call])}</b>
              </>
            )}
          />
        </div>
      )}
    </>
  );
}

function expected({ atMost, limit, refused, hops }) {
  if (refused) return `It would be refused: ${refused}`;
  if (!hops.length) return "It needs no REST call.";
  const calls = hops.flatMap((hop) => hop.calls);
  return `REST calls: ${bound(calls, atMost)}, in ${counted(hops.length, "hop")}; the limit is ${limit}.`;
}
