// Holds the gateway to GraphQL over HTTP: every server audit of graphql-http, against `gateway demo`
// on free ports. The argument is the Python that has the gateway's requirements.
import { spawn } from "node:child_process";
import { devNull } from "node:os";
import { fileURLToPath } from "node:url";
import { serverAudits } from "graphql-http";

const AUDITS = 61; // fewer would pass because there is less to pass
const LEVELS = ["MUST", "SHOULD", "MAY"];
const START = 60_000;
const ANSWER = 15_000;

const root = fileURLToPath(new URL("../", import.meta.url));
const python = process.argv[2] ?? ".venv/bin/python";

// The demo as it comes: whoever runs this may have settings of their own.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("GATEWAY_")),
);
Object.assign(environment, { GATEWAY_CONFIG: devNull, GATEWAY_PORT: "0", GATEWAY_LOG_LEVEL: "error" });

const demo = spawn(python, ["-m", "gateway", "demo", "--simulator-port", "0"], {
  cwd: root,
  env: environment,
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = new Promise((resolve) => {
  demo.once("exit", (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`));
  demo.once("error", ({ message }) => resolve(message));
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => demo.kill());

// The demo prints its address when it listens; what comes meanwhile waits to be accepted.
const address = () =>
  new Promise((resolve, reject) => {
    const refuse = (reason) => reject(new Error(`The demo did not start: ${reason}.`));
    let printed = "";
    demo.stdout.setEncoding("utf8").on("data", (text) => {
      printed += text;
      const found = /http:\S+\/graphql(?=\s)/.exec(printed);
      if (found) resolve(found[0]);
    });
    setTimeout(refuse, START, `nothing was printed in ${START / 1000} s`).unref();
    ended.then(refuse);
  });

try {
  const audits = serverAudits({
    url: await address(),
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
} catch (failure) {
  console.error(failure.message);
  process.exitCode = 1;
} finally {
  demo.kill();
  await ended;
}
