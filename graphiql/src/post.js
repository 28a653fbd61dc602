/** The gateway's answer to `operation`. */
export async function post(operation, headers, signal) {
  const response = await fetch(location.pathname, {
    method: "POST",
    // Accept comes last: with another one, a refusal might not be JSON that can be shown.
    headers: { "Content-Type": "application/json", ...headers, Accept: "application/json" },
    body: JSON.stringify(operation),
    signal,
  });
  return response.json();
}
