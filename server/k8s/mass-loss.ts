const MAX_LOST = 5;
const MAX_LOST_SHARE = 0.1;

/**
 * Whether so much has vanished at once, unseen, that it rather says something about the API server: its data was restored, or
 * another cluster answers in its place. Nobody acts on that by himself.
 *
 * @param lost how many are missing
 * @param kept how many are still there
 */
export function isMassLoss(lost: number, kept: number): boolean {
  return lost > MAX_LOST && lost > (lost + kept) * MAX_LOST_SHARE;
}
