// What can be asked, read from the OpenAPI document: a new use case needs no change here.

const PREDICT = /^\/v1\/([^/{]+)\/predict$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** The use cases: what each one's request holds, and the paths that answer it. */
export function useCases(openapi) {
  return Object.keys(openapi.paths).flatMap((path) => {
    const name = PREDICT.exec(path)?.[1];
    return name && openapi.paths[path].post ? [useCase(openapi, name)] : [];
  });
}

function useCase(openapi, name) {
  const body = (action) => bodySchema(openapi, `/v1/${name}/${action}`);
  const [request, entities] = [body("predict"), body("features")];
  const ofEntities = new Set(Object.keys(entities?.properties ?? {}));
  const fields = Object.entries(request.properties ?? {}).map(([field, schema]) => ({
    ...described(openapi, schema),
    name: field,
    required: (request.required ?? []).includes(field),
    stored: ofEntities.has(field),
  }));
  return {
    name,
    // Entity ids first, then the request's own values, then what may stay empty.
    fields: fields.sort((a, b) => rank(a) - rank(b)),
    path: body("explain") ? `/v1/${name}/explain` : `/v1/${name}/predict`,
    featuresPath: entities ? `/v1/${name}/features` : null,
  };
}

function rank(field) {
  return field.required ? (field.stored ? 0 : 1) : 2;
}

function bodySchema(openapi, path) {
  const content = openapi.paths[path]?.post?.requestBody?.content;
  return content ? resolved(openapi, content["application/json"].schema) : null;
}

function resolved(openapi, schema) {
  if (!schema.$ref) return schema;
  const steps = schema.$ref.replace(/^#\//, "").split("/");
  return resolved(openapi, steps.reduce((found, step) => found[step], openapi));
}

function described(openapi, schema) {
  const kinds = (schema.anyOf ?? [schema]).map((kind) => resolved(openapi, kind));
  const kind = kinds.find((one) => one.type !== "null") ?? {};
  return {
    type: kind.type ?? "object",
    choices: kind.enum ?? (kind.type === "boolean" ? [true, false] : null),
    hint: [schema.description, rangeText(kind)].filter(Boolean).join(" "),
    example: schema.examples?.[0] ?? kind.examples?.[0] ?? null,
  };
}

function rangeText({ minimum, maximum }) {
  const text = (number) => new Intl.NumberFormat("en-US").format(number);
  // The end of a 64-bit integer tells nobody anything.
  const most = maximum > Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (minimum !== undefined && most !== undefined) return `From ${text(minimum)} to ${text(most)}.`;
  if (minimum !== undefined) return `From ${text(minimum)} on.`;
  return most === undefined ? "" : `At most ${text(most)}.`;
}

/** The request as JSON text; what is empty is left out, and the API says what is wrong. */
export function bodyText(fields, values) {
  const given = fields.filter(({ name }) => values[name]);
  const members = given.map(
    ({ name, type }) => `${JSON.stringify(name)}: ${jsonText(type, values[name])}`,
  );
  return `{${members.join(", ")}}`;
}

/** Numbers keep their digits: as a Number an id beyond 2^53 would become another one. */
function jsonText(type, text) {
  const isOfType =
    type === "integer" || type === "number"
      ? NUMBER.test(text)
      : type === "boolean"
        ? text === "true" || text === "false"
        : type !== "string" && isJson(text);
  return isOfType ? text : JSON.stringify(text);
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
