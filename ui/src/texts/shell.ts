import { defineTexts } from '../lib/texts.ts';

export default defineTexts({
  en: {
    skip: 'Skip to the content',
    menu: 'Main menu',
    language: 'Language',
    colours: 'Colours',
    system: 'System',
    light: 'Light',
    dark: 'Dark',
    logOut: 'Log out',
    cut: 'The live connection is cut. The page reads the state every few seconds until it is back.',
  },
  zh: {
    skip: '跳到正文',
    menu: '主菜单',
    language: '语言',
    colours: '配色',
    system: '跟随系统',
    light: '浅色',
    dark: '深色',
    logOut: '退出登录',
    cut: '实时连接已断开。恢复之前，页面每隔几秒读取一次状态。',
  },
});
