// Vitest reporter of `npm test`: writes counts, failures and the reason of every skipped test to TEST_REPORT_FILE.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** What was wrong and where in the tests, without colours and without the frames of the runner. */
function wordsOf({ message, diff, stacks }) {
  const lines = stripVTControlCharacters(`${message}\n${diff ?? ''}`)
    .trimEnd()
    .split('\n')
    .slice(0, 30);
  const [at] = stacks ?? [];
  return [...lines, ...(at === undefined ? [] : [`at ${path.relative(process.cwd(), at.file)}:${at.line}`])].join(
    '\n    ',
  );
}

export default class CountingReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const report = {
      passed: 0,
      failed: unhandledErrors.length,
      skipped: [],
      failures: unhandledErrors.map((e) => String(e.message)),
    };
    for (const module of modules) {
      if (module.state() === 'failed' && module.errors().length > 0) {
        report.failed += 1;
        report.failures.push(`${module.moduleId}: ${module.errors()[0]?.message}`);
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') report.passed += 1;
        else if (result.state === 'failed') {
          report.failed += 1;
          report.failures.push([test.fullName, ...result.errors.map(wordsOf)].join('\n    '));
        } else report.skipped.push({ name: test.fullName, reason: result.note ?? 'no reason given' });
      }
    }
    writeFileSync(process.env.TEST_REPORT_FILE, JSON.stringify(report));
  }
}
