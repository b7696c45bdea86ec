/** All answers, or else the failure of the first of them that failed, in their order: but only once none is under way any longer. */
export async function allEnded<T extends readonly unknown[] | []>(
  asked: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(asked);
  return Promise.all(asked);
}
