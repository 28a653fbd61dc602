// A proxy that notes what passes it, for the checks that are written in JavaScript.
import { once } from "node:events";
import { createServer, request } from "node:http";
import { text } from "node:stream/consumers";

/**
 * Notes each request in `calls`, with the status, the headers and the text of its `answer`, and lets
 * `change` have that text.
 */
export async function recorder(target) {
  const recorded = { calls: [], change: (_call, answer) => answer };
  const server = createServer(async (asked, answer) => {
    const { connection, host, "accept-encoding": encoding, ...headers } = asked.headers;
    const call = { method: asked.method, url: asked.url, headers, body: await text(asked) };
    recorded.calls.push(call);
    try {
      const passed = request(new URL(call.url, target), { ...call, agent: false }).end(call.body);
      const [given] = await once(passed, "response");
      Object.assign(call, { status: given.statusCode, given: given.headers });
      call.answer = await recorded.change(call, await text(given));
      const type = given.headers["content-type"];
      answer.writeHead(given.statusCode, type === undefined ? {} : { "content-type": type });
      answer.end(call.answer);
    } catch (problem) {
      console.error(`${call.method} ${target}${call.url}: ${problem}`);
      answer.destroy();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  recorded.stop = () => server.close();
  recorded.url = `http://127.0.0.1:${server.address().port}`;
  return recorded;
}
