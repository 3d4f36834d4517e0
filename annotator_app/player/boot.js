// What Streamlit is given: it runs this text as a module of its own, without an address, so the
// modules beside it are asked for by theirs. Called again whenever the page is drawn again.
export default async ({ parentElement, data, setTriggerValue }) => {
  const { mount } = await import(new URL("/player/main.js", window.location.origin));
  return mount(parentElement, data.desk, () => setTriggerValue("decided", true));
};
