/** Lines as a block of text that reads well between the back-ticks of a test. */
export function shown(lines: readonly string[]): string {
  return `\n${lines.join('\n')}\n`;
}
