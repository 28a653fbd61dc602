import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, makeVar } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { relayStylePagination } from "@apollo/client/utilities";
import { type Observable, from, of, switchMap } from "rxjs";

/** Why a token is asked for. */
export const QUESTIONS = {
  first: "Enter the token with which you use your shop's system.",
  refused: "Your token has expired or is not accepted. Enter another, and go on where you were.",
  change: "Enter another token.",
};

/** In memory only: what a page stores can be read by every script that ever runs in it. */
export const session = makeVar<{ token: string; asked?: keyof typeof QUESTIONS }>({ token: "", asked: "first" });

async function answered() {
  while (session().asked) await new Promise(session.onNextChange);
}

const bearer = () => `Bearer ${session().token}`;

const authorise = new SetContextLink(({ headers }) => ({ headers: { ...headers, authorization: bearer() } }));

/** What is refused for its token was not done. It waits for another token, and is sent again. */
const askAgain = new ApolloLink((operation, forward) => {
  const send = (): Observable<ApolloLink.Result> =>
    forward(operation).pipe(
      switchMap((result) => {
        if (!result.errors?.some(({ extensions }) => extensions?.["code"] === "UNAUTHENTICATED")) return of(result);
        // A late answer to the former token says nothing about this one.
        if (operation.getContext()["headers"].authorization === bearer())
          session({ token: session().token, asked: "refused" });
        return from(answered()).pipe(switchMap(send));
      }),
    );
  return send();
});

export const client = new ApolloClient({
  clientAwareness: { name: "customer-groups-frontend", version: "1" },
  link: ApolloLink.from([askAgain, authorise, new HttpLink({ uri: import.meta.env["VITE_GATEWAY"] })]),
  cache: new InMemoryCache({
    typePolicies: { Query: { fields: { customerGroups: relayStylePagination(["orderBy"]) } } },
  }),
});
