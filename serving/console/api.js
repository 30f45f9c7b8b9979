// Requests to the API that served this page, and the problems that they can end in.

const PATIENCE_MS = 30_000;
const KEY = "lockstep.key";

/** The API key: in this tab's sessionStorage only, sent as a header only. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

/** Why there is no answer; `document` is as RFC 9457 has it. */
export class Problem extends Error {
  constructor(document, { keySent = false, retryAfter = null } = {}) {
    super(document.title);
    this.document = document;
    this.keySent = keySent;
    this.retryAfter = retryAfter;
  }

  get status() {
    return this.document.status ?? null;
  }

  /** What to do about the key; null where the key is not the problem. */
  get keyWords() {
    switch (this.status) {
      case 401:
        return this.keySent
          ? "The server does not accept this key: it is mistyped, revoked or expired."
          : "No key was sent: enter your API key.";
      case 403:
        return "This key is good, but it may not do this: use one with the scope that is missing.";
      case 429:
        return `This key asks too often: wait ${this.retryAfter ?? "a few"} s and try again.`;
      default:
        return null;
    }
  }
}

/** Where a path of the API is, also behind a proxy's prefix. */
export function address(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI).href;
}

/**
 * The document that the API answers; `body` is JSON text.
 *
 * Throws a Problem for whatever else comes.
 */
export async function ask(method, path, body = null) {
  const sent = key.get();
  const headers = {};
  if (sent) headers["X-API-Key"] = sent;
  if (body !== null) headers["Content-Type"] = "application/json";
  const response = await answered(method, path, headers, body);
  const told = parsed(await response.text());
  if (response.ok && told !== undefined) return told;
  throw new Problem(told?.title ? told : unreadable(response), {
    keySent: Boolean(sent),
    retryAfter: response.headers.get("Retry-After"),
  });
}

async function answered(method, path, headers, body) {
  // A header holds Latin-1 only; fetch would say so in words that help nobody.
  if (/[^\x20-\xff]/.test(headers["X-API-Key"] ?? "")) {
    const detail = "the API key has characters that no key has; copy it again";
    throw new Problem({ title: "The key cannot be sent", status: 401, detail }, { keySent: true });
  }
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    return await fetch(address(path), { method, headers, body, signal, credentials: "omit" });
  } catch (error) {
    const detail = error.name === "TimeoutError" ? "it took too long" : "is it running?";
    throw new Problem({ title: "The server does not answer", detail });
  }
}

/** JSON with whole numbers beyond 2^53 as texts: a Number would change their digits. */
function parsed(text) {
  const exact = (_, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source)
      ? context.source
      : value;
  try {
    return JSON.parse(text, exact);
  } catch {
    return undefined;
  }
}

function unreadable(response) {
  const detail = "the answer is no problem document; something between here and it may be down";
  return { title: "The server did not answer as it should", status: response.status, detail };
}
