/** Loaded before a program: `performance.now()` stands still. Timers go on. */
performance.now = () => 0
