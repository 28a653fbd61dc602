// Headless Chromium for the tests of pages.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const PATIENCE = 20_000;

/** Debian's Chromium, or $CHROMIUM, started by Playwright's `chromium`. */
export const launched = (chromium) =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** Collects what pages of `context` ask of other origins than `origins`, and what they complain of. */
export function watched(context, origins) {
  context.setDefaultTimeout(PATIENCE);
  const seen = { outside: [], complaints: [] };
  context.on("request", (request) => {
    if (!origins.includes(new URL(request.url()).origin)) seen.outside.push(request.url());
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.complaints.push(message.text());
  });
  context.on("weberror", (thrown) => seen.complaints.push(String(thrown.error())));
  return seen;
}
