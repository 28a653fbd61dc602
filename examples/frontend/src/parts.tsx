import { CombinedGraphQLErrors, type ErrorLike } from "@apollo/client";

type Problem = { code: string; message: string; retryAfter?: number | null };

function problemsOf(error: ErrorLike): Problem[] {
  if (!CombinedGraphQLErrors.is(error)) return [{ code: "NO_ANSWER", message: "The gateway did not answer." }];
  return error.errors.map(({ message, extensions }) => ({
    message,
    code: String(extensions?.["code"]),
    retryAfter: extensions?.["retryAfter"] as number | null,
  }));
}

/** What went wrong, each with its code, and a way to try again where that may help. */
export function Problems(props: { error?: ErrorLike | undefined; userErrors?: Problem[]; again?: () => unknown }) {
  const problems = [...(props.error ? problemsOf(props.error) : []), ...(props.userErrors ?? [])];
  if (!problems.length) return null;
  return (
    <div role="alert" className="notice bad">
      <ul>
        {problems.map(({ code, message, retryAfter }, index) => (
          <li key={index}>
            {message} {retryAfter ? `Try again in ${retryAfter} s. ` : ""}
            <code>{code}</code>
          </li>
        ))}
      </ul>
      {props.again && <button onClick={props.again}>Try again</button>}
    </div>
  );
}

/** In the place of rows that are on their way. */
export function Loading({ rows }: { rows: number }) {
  return (
    <div className="loading" aria-busy="true">
      <span className="hidden" role="status">
        Loading
      </span>
      {Array.from({ length: rows }, (_, row) => (
        <i key={row} />
      ))}
    </div>
  );
}

export const count = (number: number, noun: string) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

export const when = (instant: string) =>
  new Date(instant).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
