/**
 * Does `count` pieces of work on the lanes, one at a time on each, and yields their results in order, whichever is done first. A piece
 * starts only once those long before it have been taken, so that few results wait in memory: with one lane, once the one before has been.
 * After a failure nothing more is started; what came before it is still yielded, then it is thrown.
 * @param work piece `index` on `lane`; what it gives must not depend on the lane
 */
export async function* inOrder<Lane, T>(
  lanes: readonly Lane[],
  count: number,
  work: (lane: Lane, index: number) => Promise<T>,
): AsyncGenerator<T> {
  const free = [...lanes]
  const results = new Map<number, Promise<T>>()
  let [taken, started, isOver] = [0, 0, false]
  const workOn = async (lane: Lane, index: number): Promise<T> => {
    try {
      return await work(lane, index)
    } catch (error) {
      isOver = true
      throw error
    } finally {
      free.push(lane)
      start()
    }
  }
  const mayStart = (): boolean => !isOver && free.length > 0 && started < Math.min(count, taken + 2 * lanes.length - 1)
  function start(): void {
    while (mayStart()) {
      const result = workOn(free.pop()!, started)
      // Who takes it hears of its failure; until then it is not unhandled.
      result.catch(() => {})
      results.set(started++, result)
    }
  }
  try {
    for (start(); taken < count; start()) {
      const result = await results.get(taken)!
      yield result
      results.delete(taken++)
    }
  } finally {
    isOver = true
    await Promise.allSettled(results.values())
  }
}
