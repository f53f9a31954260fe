import { describe, expect, it } from 'vitest';
import { SallyportError } from '../../errors.ts';
import { shownPath, typedWindowsPath, windowsPath } from './target-path.ts';

const codeOfPath = (path: string): string => {
  try {
    return windowsPath(path);
  } catch (error) {
    return error instanceof SallyportError ? error.code : 'other';
  }
};

describe('a path of Windows', () => {
  it.each([
    ['/C:', 'C:\\'],
    ['/C:/', 'C:\\'],
    ['/c:/Users/ann/a b.txt', 'c:\\Users\\ann\\a b.txt'],
    ['/D:/.ssh/x.y.z', 'D:\\.ssh\\x.y.z'],
    ['//server/share', '\\\\server\\share'],
    ['//server/c$/näme/[a]', '\\\\server\\c$\\näme\\[a]'],
    ['/C:/con-tract/console.txt/COM10', 'C:\\con-tract\\console.txt\\COM10'],
  ])('%s is %s', (shown, windows) => {
    expect(windowsPath(shown)).toBe(windows);
    expect(shownPath(windows)).toBe(shown.replace(/\/$/, ''));
  });

  it('/ is the list of drives', () => {
    expect(windowsPath('/')).toBe('');
    expect(shownPath('C:\\')).toBe('/C:');
  });

  it.each([
    ...['C:/x', 'x', '', '/x', '/CC:/x', '/C:x', '/1:/x', '//server', '//', '///x/y'],
    ...['/C:/a:b', '/C:/a?', '/C:/a*', '/C:/a|b', '/C:/"', '/C:/<', '/C:/a\\b', '/C:/a\u0001', '/C:/a//b'],
    ...['/C:/a.', '/C:/a ', '/C:/..', '/C:/../x', '/C:/./x', '/C:/...'],
    ...['/C:/con', '/C:/NUL.txt', '/C:/x/Com1', '/C:/lpt9.a.b', '/C:/aux .txt', '/C:/COM¹', '/C:/CONIN$'],
    ...['//?/C:/x', '//./pipe/x', '//?/UNC/server/share', '//server/share/nul'],
  ])('%s is none', (shown) => {
    expect(codeOfPath(shown)).toBe('bad_name');
  });

  it('may be typed in the words of Windows; what Windows makes of it is looked at again', () => {
    expect(typedWindowsPath('C:\\Users\\ann')).toBe('C:\\Users\\ann');
    expect(typedWindowsPath('C:/Users')).toBe('C:\\Users');
    expect(typedWindowsPath('\\\\server\\share')).toBe('\\\\server\\share');
    expect(typedWindowsPath('//server/share')).toBe('\\\\server\\share');
    expect(typedWindowsPath('/C:/Users')).toBe('C:\\Users');
    expect(typedWindowsPath('Documents')).toBe('Documents');
    expect(codeOfPath(shownPath('\\\\.\\CON'))).toBe('bad_name');
    expect(codeOfPath(shownPath('\\\\?\\C:\\x'))).toBe('bad_name');
  });
});
