/** Whole microseconds of this process's monotonic clock. */
export const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n)
