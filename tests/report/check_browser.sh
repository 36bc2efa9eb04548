#!/bin/sh
# check_browser.sh EBMCL: does a report fit screens and paper? Needs chromium (or google-chrome); without one exit code 77.
# A page on two made-up runs is laid out 360 and 1400 pixels wide (with --keep 800 too); a script that only this test appends then asks the
# browser whether anything is wider than the screen, whether texts of a figure overlap, and whether any is cut off. Then
# it is printed. With --keep DIRECTORY the pages, screenshots and the PDF stay there to be looked at.
set -eu
ebmcl=$1
keep=${3:-}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$browser" ] || { echo "skipped: no chromium"; exit 77; }

if [ -n "$keep" ]; then
    work=$keep
    mkdir -p "$work"
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi

# 200 texts: the second run is less sure; one has an energy, noise and a log.
make_rows() { # scale shift count
    awk -v scale="$1" -v shift="$2" -v count="$3" 'BEGIN { srand(3); for (i = 0; i < count; i++) {
        f = (rand() - 0.35) * 6; y = rand() < 1 / (1 + exp(-f / 2)); a = f > 0;
        printf "{\"text\": \"text number %d, of some words more than one\", \"label\": \"%s\", \"label_id\": %d, ", i, y ? "acceptable" : "unacceptable", y
        printf "\"prediction\": \"%s\", \"logits\": [0, %.6f], \"energy\": %.6f}\n", a ? "acceptable" : "unacceptable", f * scale, shift + rand() * 4 - f } }'
}
make_log() {
    awk 'BEGIN { for (i = 1; i <= 100; i++) {
        printf "{\"step\": %d, \"loss\": %g, \"cross_entropy\": %g, \"nce\": %g, \"learning_rate\": %g, \"grad_norm\": %g, ", i * 20, 3 / i + 1, 1 / i, 2 / i + 1, 2e-5 * (1 - i / 101), 5 + i % 7
        printf "\"data_told_apart\": %g, \"noise_told_apart\": %g, \"mean_exp_minus_energy_noise\": %g, \"mean_energy_data\": %g, \"mean_energy_noise\": %g}\n", 0.5 + i / 250, 0.5 + i / 300, exp(3 / i), -i / 30, i / 40
        if (i % 10 == 0) printf "{\"step\": %d, \"eval_accuracy\": %g, \"eval_nll\": %g, \"eval_ece_class_wise\": %g, \"eval_told_apart\": 0.8, \"eval_mean_exp_minus_energy_noise\": 1234.5}\n", i * 20, 0.6 + i / 400, 0.6 - i / 1000, 0.01 + i / 800 } }'
}
mkdir -p "$work/joint, hidden energy, K = 8, a long name that somebody gave" "$work/cross-entropy"
cd "$work"
for run in "joint, hidden energy, K = 8, a long name that somebody gave" cross-entropy; do
    make_rows "$([ "$run" = cross-entropy ] && echo 2 || echo 1)" 0 200 > "$run/eval_predictions.jsonl"
    make_rows 1 5 150 > "$run/noise_predictions.jsonl"
    make_rows 1 9 90 > "$run/ood_another task_predictions.jsonl"
    make_log > "$run/trainer_log.jsonl"
    printf '{"model_name_or_path": "bert-base-uncased", "per_device_train_batch_size": 32, "learning_rate": 2e-5}' > "$run/training_args.json"
done
"$ebmcl" report "joint, hidden energy, K = 8, a long name that somebody gave" --output_file one.html
"$ebmcl" report "joint, hidden energy, K = 8, a long name that somebody gave" cross-entropy --output_file two.html
if command -v tidy > /dev/null; then # errors are 2; warnings are of elements that tidy is older than
    tidy -q -e one.html 2> tidy.txt || [ $? -lt 2 ] || { cat tidy.txt; exit 1; }
fi

cat > probe.txt <<'END'
<script>
const bad = [], w = document.documentElement.clientWidth, hit = (a, b) =>
  a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2;
if (document.documentElement.scrollWidth > w) bad.push("the page is wider than the screen");
for (const e of document.querySelectorAll("figure, p, h1, h2, h3, .scroll"))
  if (e.getBoundingClientRect().right > w + 1) bad.push("too wide: " + e.textContent.slice(0, 40));
for (const svg of document.querySelectorAll("figure > svg")) {
  const box = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll("text")], title = svg.querySelector("title").textContent;
  const rects = texts.map(t => t.getBoundingClientRect());
  rects.forEach((r, i) => {
    if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1)
      bad.push(title + ": cut off: " + texts[i].textContent);
    for (let k = 0; k < i; k++) if (hit(r, rects[k])) bad.push(title + ": overlap: " + texts[k].textContent + " / " + texts[i].textContent);
  });
}
document.title = "probe: " + (bad.length ? bad.join("; ") : document.querySelectorAll("figure > svg").length + " figures fit");
</script>
END
run_browser() { "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars "$@" 2> /dev/null; }
for width in 360 ${keep:+800} 1400; do
    for page in one two; do
        [ $page = two ] || [ $width = 360 ] || continue
        cat $page.html probe.txt > probe.html
        run_browser --window-size=$width,900 --dump-dom "file://$PWD/probe.html" > dom.txt
        said=$(sed -n 's/.*<title>\(probe: [^<]*\)<.*/\1/p' dom.txt)
        echo "$page, $width pixels: ${said:-the probe did not run}"
        case $said in *"figures fit") ;; *) exit 1 ;; esac
    done
    [ -z "$keep" ] || run_browser --window-size=$width,12000 --screenshot="two-$width.png" "file://$PWD/two.html" > /dev/null
done
run_browser --print-to-pdf=two.pdf --no-pdf-header-footer "file://$PWD/two.html" > /dev/null
[ "$(head -c 5 two.pdf)" = "%PDF-" ] || { echo "printing failed"; exit 1; }
