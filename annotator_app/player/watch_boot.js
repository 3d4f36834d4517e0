// What Streamlit is given for a clip that is looked at; see boot.js.
export default async ({ parentElement, data, setStateValue }) => {
  const { watch } = await import(new URL("/player/watch.js", window.location.origin));
  return watch(parentElement, data, {
    heard: (clip) => setStateValue("heard", clip),
    pressed: (keys) => setStateValue("pressed", keys),
  });
};
