import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/build.ts',
    environment: 'node',
    pool: 'forks',
    // Most tests wait for processes of their own or for native code; without this, two cores would mean one worker.
    maxWorkers: '100%',
    // A test whose expectations never run does not pass.
    expect: { requireAssertions: true },
    // For what hangs; how long a test takes is up to how busy the machine is.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    teardownTimeout: 600_000,
    // Tests that load ONNX Runtime themselves leave no traces under the user's home either.
    env: { ORT_DISABLE_TELEMETRY: '1' },
  },
})
