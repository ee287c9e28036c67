// Everything that is asked of the server, and how its errors become one line.

export class ApiError extends Error {
  constructor(words, mayPass = false) { super(words); this.mayPass = mayPass; }  // whether trying again may help
}

async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The studio does not answer. Look at the terminal that it runs in.", true);
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new ApiError(told.error || `The studio answered with error ${answer.status}.`, answer.status === 503);
  }
  return answer;
}

export const getJson = async path => (await asked(path)).json();
export const getBlob = async (path, signal) => (await asked(path, { signal })).blob();
export const remove = path => asked(path, { method: "DELETE" });

export async function postForBlob(path, body, signal) {
  const answer = await asked(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
  return answer.blob();
}

export async function post(path, body) {
  const answer = await asked(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) });
  return answer.json();
}

export async function upload(file, name, look_with = null) {
  const answer = await asked(`/api/pictures?${query({ name, look_with })}`, { method: "POST", body: file });
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
  const end = () => { stream?.close(); stream = null; };
  const tell = jobs => { for (const listener of listeners) listener(jobs); };
  stream.addEventListener("jobs", event => tell(JSON.parse(event.data)));
  stream.addEventListener("quiet", async () => { end(); tell(await getJson("/api/jobs").catch(() => [])); });
  stream.addEventListener("error", () => { if (stream?.readyState === EventSource.CLOSED) { end(); setTimeout(followJobs, 2000); } });
}
