/** The k of y = c · x^k that fits points best: least squares over their logarithms. */
export function fitExponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (at: 0 | 1): number => logs.reduce((sum, point) => sum + point[at], 0) / logs.length
  const [middleX, middleY] = [mean(0), mean(1)]
  const up = logs.reduce((sum, [x, y]) => sum + (x - middleX) * (y - middleY), 0)
  const across = logs.reduce((sum, [x]) => sum + (x - middleX) ** 2, 0)
  return Math.round((up / across) * 1000) / 1000
}
