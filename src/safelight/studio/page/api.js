// Everything that is asked of the server, and how its errors become one line.

export class ApiError extends Error {}

async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The studio does not answer. Look at the terminal that it runs in.");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new ApiError(told.error || `The studio answered with error ${answer.status}.`);
  }
  return answer;
}

export const getJson = async path => (await asked(path)).json();
export const getBlob = async (path, signal) => (await asked(path, { signal })).blob();
export const remove = path => asked(path, { method: "DELETE" });

export async function post(path, body) {
  const answer = await asked(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) });
  return answer.json();
}

export async function upload(file, name) {
  const answer = await asked(`/api/pictures?${new URLSearchParams({ name })}`, { method: "POST", body: file });
  return answer.json();
}

export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

// One stream for all jobs, since a browser has few connections to a server. It ends when no job waits or runs.
const listeners = new Set();
let stream = null;

export const onJobs = listener => listeners.add(listener);
export function followJobs() {
  if (stream) return;
  stream = new EventSource("/api/jobs/events");
  stream.addEventListener("jobs", event => { for (const listener of listeners) listener(JSON.parse(event.data)); });
  stream.addEventListener("quiet", () => { stream.close(); stream = null; });
}
