// Holds the gateway to GraphQL over HTTP: every server audit of graphql-http, against `gateway demo`
// on free ports. The argument is the Python that has the gateway's requirements.
import { serverAudits } from "graphql-http";
import { started } from "../scripts/started.mjs";

const AUDITS = 61; // fewer would pass because there is less to pass
const LEVELS = ["MUST", "SHOULD", "MAY"];
const ANSWER = 15_000;

const python = process.argv[2] ?? ".venv/bin/python";

// It prints its address when it listens; what comes meanwhile waits to be accepted.
const demo = await started(
  python,
  ["demo", "--simulator-port", "0"],
  { GATEWAY_PORT: "0", GATEWAY_LOG_LEVEL: "error" },
  /http:\S+\/graphql(?=\s)/,
);

try {
  const audits = serverAudits({
    url: demo.found,
    fetchFn: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER) }),
  });
  let passed = 0;
  for (const level of LEVELS) {
    console.log(level);
    for (const { id, name, fn } of audits.filter(({ name }) => name.startsWith(`${level} `))) {
      const { status, reason } = await fn();
      if (status === "ok") passed += 1;
      console.log(`  ${status.padEnd(6)}  ${id}  ${name}`);
      if (reason) console.log(`          ${reason}`);
    }
  }
  // Counted over all audits: one of a level that is not listed is one that did not pass.
  console.log(`${passed}/${audits.length}`);
  if (audits.length < AUDITS) console.error(`There are fewer than ${AUDITS} audits.`);
  if (passed < audits.length || audits.length < AUDITS) process.exitCode = 1;
} finally {
  await demo.stop();
}
