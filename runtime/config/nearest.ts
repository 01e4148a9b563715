/** Words that differ in more than a third of their letters are not meant for each other. */
const MAX_SHARE = 1 / 3;

/** The one of `known` that was probably meant by `word`: a slip of the keys, not of the mind. Letter case does not count. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const distances = known
    .map((candidate) => ({
      candidate,
      distance: editDistance(word.toLowerCase(), candidate.toLowerCase()),
    }))
    .filter(({ candidate, distance }) => {
      return (
        distance <= Math.max(1, Math.floor(Math.max(word.length, candidate.length) * MAX_SHARE))
      );
    });
  return distances.toSorted((a, b) => a.distance - b.distance)[0]?.candidate;
}

/** How many letters must be added, dropped or changed to turn one word into the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
