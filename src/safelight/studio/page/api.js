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

// Follows a job until it ends; returns a function that stops following.
export function follow(job, onState) {
  const source = new EventSource(`/api/jobs/${job}/events`);
  source.onmessage = event => {
    const state = JSON.parse(event.data);
    if (!["waiting", "running"].includes(state.state)) source.close();
    onState(state);
  };
  return () => source.close();
}
