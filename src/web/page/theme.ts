/** Light or dark: as the system has it, until somebody chooses. */

const KEY = "ipvlan-playground-theme";
type Theme = "light" | "dark";

export function followTheme(button: HTMLButtonElement): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = stored();
  const themeNow = (): Theme => chosen ?? (system.matches ? "dark" : "light");
  const apply = () => {
    document.documentElement.setAttribute("data-theme", themeNow());
    button.setAttribute("aria-pressed", String(themeNow() === "dark"));
  };
  button.addEventListener("click", () => {
    chosen = themeNow() === "dark" ? "light" : "dark";
    store(chosen);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

/** A page without storage, as of a file or in private, chooses anew each time. */
function stored(): Theme | undefined {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : undefined;
  } catch {
    return undefined;
  }
}

function store(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It is kept for this page alone.
  }
}
