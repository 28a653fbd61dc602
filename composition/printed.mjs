// The schema as `gateway schema` prints it with these settings, for each reader.
import { execFileSync } from "node:child_process";

const [python] = process.argv.slice(2);

export const printed = (reader, environ) =>
  execFileSync(python, ["-m", "gateway", "schema", "--for", reader], {
    cwd: new URL("..", import.meta.url),
    encoding: "utf8",
    env: { PATH: process.env.PATH, GATEWAY_CONFIG: "/dev/null", ...environ },
  });
