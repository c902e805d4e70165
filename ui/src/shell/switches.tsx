import { LANGUAGES, languageChoice, useLanguage, useTexts } from '../lib/texts.ts';
import { THEMES, themeChoice, useTheme } from '../lib/theme.ts';
import texts from '../texts/shell.ts';

const NAMES = { en: 'English', zh: '简体中文' };

/** The choices of language and colours. */
export function Switches() {
  const t = useTexts(texts);
  const language = useLanguage();
  const theme = useTheme();
  return (
    <>
      <select
        aria-label={t.language}
        value={language}
        onChange={(event) => languageChoice.set(LANGUAGES.find((each) => each === event.target.value) ?? null)}
      >
        {LANGUAGES.map((each) => (
          <option key={each} value={each} lang={each}>
            {NAMES[each]}
          </option>
        ))}
      </select>
      <select
        aria-label={t.colours}
        value={theme ?? ''}
        onChange={(event) => themeChoice.set(THEMES.find((each) => each === event.target.value) ?? null)}
      >
        <option value="">{t.system}</option>
        {THEMES.map((each) => (
          <option key={each} value={each}>
            {t[each]}
          </option>
        ))}
      </select>
    </>
  );
}
