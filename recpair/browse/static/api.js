// Answers of the server; a run does not change while the server runs, so each answer is fetched once.

const answers = new Map();

export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "" && value !== false) query.set(key, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export function get(path, parameters) {
  const url = address(path, parameters);
  if (!answers.has(url)) {
    if (answers.size > 300) answers.clear();
    const answer = request(url);
    answer.catch(() => answers.delete(url));
    answers.set(url, answer);
  }
  return answers.get(url);
}

async function request(url) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error("The server does not answer. Start it again with recpair browse.");
  }
  const answer = await response.json().catch(() => ({ error: `The server answers ${response.status}.` }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
