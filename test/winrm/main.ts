/** Prints the matrix; ends with 1 when anything is not as it should be. */
import { kerberosPart } from './kerberos.ts';
import { apachePart } from './apache.ts';
import { credSspKerberosPart, credSspPart } from './credssp.ts';
import { httpPart } from './http.ts';
import { runMatrix, tableOf } from './matrix.ts';
import { ntlmPart } from './ntlm.ts';
import { kerberosThroughput, ntlmThroughput } from './throughput.ts';

const results = await runMatrix([kerberosPart, apachePart, ntlmPart, credSspPart, credSspKerberosPart, httpPart]);
console.log(tableOf(results));
const failed = results.filter(({ isFailed }) => isFailed).length;
console.log(`\n${results.length - failed} as they should be, ${failed} not`);
console.log('\nBodies of 512 KiB, one after the other:');
for (const line of [...ntlmThroughput(), ...(await kerberosThroughput())]) console.log(`  ${line}`);
process.exitCode = failed === 0 ? 0 : 1;
