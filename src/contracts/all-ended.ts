/**
 * All answers, or the first failure once no other question is under way. The SDK (1.24) tries by itself again what failed; whoever closes his
 * connection meanwhile, for he has his failure, has his process ended.
 */
export async function allEnded<T extends readonly unknown[] | []>(
  asked: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(asked);
  return Promise.all(asked);
}
