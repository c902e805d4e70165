import { useSyncExternalStore } from 'react';
import { preference } from './preference.ts';

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];
/** One text in all languages. */
export type Text = { readonly [language in Language]: string };

type Entry = string | ((...values: never[]) => string);
type Translated<En> = {
  [key in keyof En]: En[key] extends (...values: infer Values) => string ? (...values: Values) => string : string;
};

/** Texts of a screen: a key that one language lacks does not compile. */
export const defineTexts = <En extends Record<string, Entry>>(texts: { en: En; zh: Translated<NoInfer<En>> }) =>
  texts as { readonly en: En; readonly zh: Translated<En> };

const ofBrowser = (): Language => (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
/** The language that was chosen; null: the one of the browser. */
export const languageChoice = preference<Language>('kubewright.language', LANGUAGES);

/** The language of the page. */
export function useLanguage(): Language {
  return useSyncExternalStore(languageChoice.subscribe, () => languageChoice.get() ?? ofBrowser());
}

/** The texts of a definition in the language of the page. */
export function useTexts<En extends Record<string, Entry>>(texts: {
  readonly en: En;
  readonly zh: Translated<En>;
}): Translated<En> {
  return texts[useLanguage()] as Translated<En>;
}
