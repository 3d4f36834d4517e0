// What Streamlit is given for a clip that is looked at; see boot.js.
export default async ({ parentElement, data }) => {
  const { watch } = await import(new URL("/player/watch.js", window.location.origin));
  return watch(parentElement, data);
};
