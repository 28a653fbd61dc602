// A command of the gateway as a process, for the checks that are written in JavaScript.
import { spawn } from "node:child_process";
import { devNull } from "node:os";
import { fileURLToPath } from "node:url";

const START = 60_000;
const root = fileURLToPath(new URL("../", import.meta.url));

/**
 * The process of `gateway ...command`, once it has written what `pattern` matches: it is `found`.
 * It has none of this environment's GATEWAY_ variables: whoever runs a check may have settings.
 */
export async function started(python, command, variables, pattern) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("GATEWAY_"));
  const child = spawn(python, ["-m", "gateway", ...command], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), GATEWAY_CONFIG: devNull, GATEWAY_DRAIN: "0", ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`));
    child.once("error", ({ message }) => resolve(message));
  });
  process.once("exit", () => child.kill());
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  const stop = () => (child.kill(), ended);
  const found = await new Promise((resolve, reject) => {
    let written = "";
    const refuse = (reason) => reject(new Error(`gateway ${command[0]}: ${reason}.\n${written}`));
    const late = setTimeout(() => refuse(`it has not begun in ${START / 1000} s`), START);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        written += text;
        const found = pattern.exec(written);
        if (found) resolve(found[0]), clearTimeout(late);
      });
    }
    ended.then(refuse);
  });
  return { found, stop };
}
