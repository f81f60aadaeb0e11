"""The words of a report in each language; names of metrics, keys and files are the same in all. No torch."""

from __future__ import annotations

from nnlab.reporting.captions import CAPTIONS

WORDS = {
    "en": {
        "runs": "Runs",
        "run": "run",
        "what_was_run": "What was run",
        "all_alike": "In all runs",
        "figures": "Figures",
        "figure": "figure",
        "meaning": "meaning",
        "meanings": "What the figures mean",
        "test": "test",
        "validation": "validation, last",
        "train": "training, last",
        "training": "training",
        "validating": "validation",
        "measured": "How the test figures were measured",
        "best_marked": "The best value of a figure is bold.",
        "best_run": "Best run",
        "not_ranked": "The runs have different models or data, so no best value is marked.",
        "differs": "What differs between the configs",
        "alike": "The configs are the same.",
        "key": "key",
        "curves": "Learning curves",
        "hint": "Point at a chart to read its values. Click a name to hide or show its curves.",
        "thinned": "A long curve is drawn from at most {n} of its records, with its largest and smallest values.",
        "rings": "A ring marks the value whose weights were kept.",
        "ends": "A dotted line marks the end of a stage.",
        "other_curves": "Other curves",
        "more_curves": "Not shown, because a page holds {n} curves at most: {names}. nnlab tensorboard shows them.",
        "epoch": "epoch",
        "step": "step",
        "log": "log scale",
        "pictures": "Pictures",
        "enlarge": "Click a picture to enlarge it.",
        "film": "animation",
        "last_frame": "the last frame; the whole animation is in the run folder",
        "shrunk": "To keep this page small, these pictures were compressed again: {names}. The originals are in images/.",
        "unshown": "These pictures are only in images/, to keep this page small: {names}.",
        "first_runs": "Pictures are shown of the first {n} runs.",
        "configs": "Configs",
        "reproduce": "How to reproduce it",
        "commands": "The command of each run",
        "code": "Code",
        "data": "data",
        "no_command": "The command was not recorded. The config above has every value.",
        "same_bits": "The same command gives the same weights on the same machine, with the same versions and threads.",
        "no_figures": "No figures have been recorded yet.",
        "no_curves": "No figure was recorded twice, so there are no curves.",
        "so_far": "The test comes at the end of a run. These are the newest recorded figures.",
        "not_complete": "This run is not complete",
        "not_all_complete": "Runs that are not complete",
        "not_begun": "not begun",
        "status": "status",
        "best": "best metric",
        "model": "model",
        "recipe": "recipe",
        "tags": "tags",
        "note": "note",
        "began": "began",
        "time": "training time",
        "epochs": "epochs",
        "steps": "steps",
        "device": "device",
        "threads": "threads",
        "parameters": "parameters",
        "rate": "examples per second",
        "seed": "seed",
        "versions": "versions",
        "commit": "git commit",
        "changed": "with changes that were not committed",
        "folder": "folder",
        "on": "{model} on {data}",
        "several": "{n} runs: {what}",
        "made": "Made by nnlab {version} on {when}.",
        "completed": "completed",
        "running": "running",
        "killed": "killed",
        "interrupted": "interrupted",
        "pruned": "pruned",
        "diverged": "diverged",
        "failed": "failed",
        "?": "unknown",
    },
    "ru": {
        "runs": "Запуски",
        "run": "запуск",
        "what_was_run": "Что запускалось",
        "all_alike": "Во всех запусках",
        "figures": "Метрики",
        "figure": "метрика",
        "meaning": "что она значит",
        "meanings": "Что значат метрики",
        "test": "тест",
        "validation": "валидация, последнее",
        "train": "обучение, последнее",
        "training": "обучение",
        "validating": "валидация",
        "measured": "Как измерены метрики на тесте",
        "best_marked": "Лучшее значение метрики выделено жирным.",
        "best_run": "Лучший запуск",
        "not_ranked": "У запусков разные модели или данные, поэтому лучшие значения не выделены.",
        "differs": "Чем отличаются конфиги",
        "alike": "Конфиги одинаковы.",
        "key": "ключ",
        "curves": "Кривые обучения",
        "hint": "Наведите указатель на график, чтобы прочитать значения. Щелчок по имени скрывает или показывает его кривые.",
        "thinned": "Длинная кривая построена не больше чем по {n} записям; её наибольшие и наименьшие значения сохранены.",
        "rings": "Кружок отмечает значение, веса которого сохранены.",
        "ends": "Пунктир отмечает конец стадии.",
        "other_curves": "Остальные кривые",
        "more_curves": "Не показаны, так как на странице не больше {n} кривых: {names}. Их показывает nnlab tensorboard.",
        "epoch": "эпоха",
        "step": "шаг",
        "log": "лог. шкала",
        "pictures": "Картинки",
        "enlarge": "Щелчок по картинке увеличивает её.",
        "film": "анимация",
        "last_frame": "последний кадр; вся анимация лежит в папке запуска",
        "shrunk": "Чтобы страница не стала слишком большой, эти картинки сжаты ещё раз: {names}. Оригиналы лежат в images/.",
        "unshown": "Чтобы страница не стала слишком большой, эти картинки остались в images/: {names}.",
        "first_runs": "Картинки показаны для первых запусков, числом {n}.",
        "configs": "Конфиги",
        "reproduce": "Как повторить",
        "commands": "Команда каждого запуска",
        "code": "Код",
        "data": "данные",
        "no_command": "Команда не записана. Все значения есть в конфиге выше.",
        "same_bits": "Та же команда даёт те же веса на той же машине, с теми же версиями и числом потоков.",
        "no_figures": "Метрик ещё нет.",
        "no_curves": "Ни одна метрика не записана дважды, поэтому кривых нет.",
        "so_far": "Тест бывает в конце запуска. Это последние записанные метрики.",
        "not_complete": "Этот запуск не завершён",
        "not_all_complete": "Незавершённые запуски",
        "not_begun": "не начат",
        "status": "состояние",
        "best": "лучшая метрика",
        "model": "модель",
        "recipe": "рецепт",
        "tags": "метки",
        "note": "заметка",
        "began": "начат",
        "time": "время обучения",
        "epochs": "эпохи",
        "steps": "шагов",
        "device": "устройство",
        "threads": "потоков",
        "parameters": "параметры",
        "rate": "примеров в секунду",
        "seed": "зерно (seed)",
        "versions": "версии",
        "commit": "коммит git",
        "changed": "с изменениями, которых нет в коммите",
        "folder": "папка",
        "on": "{model} на {data}",
        "several": "Запусков: {n}; {what}",
        "made": "Страницу сделал nnlab {version}, {when}.",
        "completed": "завершён",
        "running": "идёт",
        "killed": "убит",
        "interrupted": "прерван",
        "pruned": "прекращён",
        "diverged": "разошёлся",
        "failed": "завершился ошибкой",
        "?": "неизвестно",
    },
}


class Words:
    """The words of one language: `words["figures"]`, `words("several", n=3, what="…")`."""

    def __init__(self, language: str) -> None:
        self.language, self.words = language, WORDS[language]

    def __getitem__(self, key: str) -> str:
        return self.words[key]

    def __call__(self, key: str, **values: object) -> str:
        """A sentence with its values."""
        return self.words[key].format(**values)

    def state(self, status: str) -> str:
        """A run's status; as it is written if it is none of nnlab's."""
        return self.words[status] if status in STATES else status

    def caption(self, name: str) -> str | None:
        """What a picture of this name shows; None if it is not known. The name of a stage may stand before it."""
        parts = name.split("_")
        known = ["_".join(parts[i:]) for i in range(len(parts)) if "_".join(parts[i:]) in CAPTIONS]
        return CAPTIONS[known[0]][self.language] if known else None

    def number(self, value: float) -> str:
        """A whole number with its thousands apart."""
        return f"{value:,.0f}".replace(",", "," if self.language == "en" else " ")


STATES = frozenset({"completed", "running", "killed", "interrupted", "pruned", "diverged", "failed", "?"})
