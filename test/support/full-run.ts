/** True under `npm run test:full`: long outages, large counts, the real peer. */
export const isFullRun = process.env['CHAINWRIGHT_TEST_FULL'] === '1';
