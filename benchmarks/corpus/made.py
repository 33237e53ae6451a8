"""A document with its truth, and texts to fill documents with."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Made:
    """A file's name and bytes, and what a person sees of it in reading order.

    ``neutral`` is what a reader may tell or not: the names of sheets, a mail's address.
    """

    name: str
    data: bytes = field(repr=False)
    truth: tuple[str, ...] = field(repr=False)
    neutral: tuple[str, ...] = field(default=(), repr=False)


RIVER = (
    "The lower Tamsin runs for ninety kilometres between dykes that monks began and engineers finished.",
    "Every spring the gauges at Holm show the same double peak: first snow from the hills, then rain from the coast.",
    "Farmers call the days between both peaks the breathing, because the meadows lie open for a week.",
    "Eels leave the ditches in that week and cross wet grass at night, as older people swear they saw.",
    "Since 1974 a sluice keeps salt water out of the polder; herons learned within one season to wait beside it.",
)
BEES = (
    "Eine Wildbiene trägt Pollen an den Hinterbeinen, die Mauerbiene dagegen am Bauch.",
    "Wer einen Steinhaufen liegen lässt, schenkt der Gehörnten einen Brutplatz für drei Jahre.",
    "Bei zwölf Grad fliegt sie schon, während Honigbienen noch im Stock sitzen.",
    "Ihre Röhren verschließt sie mit Lehm, Kammer für Kammer, die Weibchen zuhinterst.",
)
LIGHTHOUSE = (
    "Маяк стоит на скале, и его свет виден за сорок километров.",
    "Смотритель записывает погоду каждые три часа, даже ночью.",
    "Зимой лодка не приходит неделями, поэтому муку хранят в сухой башне.",
)
TEA = ("茶叶采下来以后要先摊开晾一夜。", "第二天清晨用铁锅炒，火不能太大。", "老人说，雨后三天的叶子最香。")
HARBOUR = ("港の朝は早い。", "漁師は四時に網を上げ、魚を箱に並べる。", "競りが終わるころ、町の店が開き始める。")
ORCHARD = ("تنضج الرمان في أواخر الخريف.", "يسقي الفلاح الأشجار قبل شروق الشمس.", "يباع العصير في السوق القديمة.")
MARKET = ("बाज़ार सुबह छह बजे खुलता है।", "किसान ताज़ी सब्ज़ियाँ लाते हैं।", "दोपहर तक सब कुछ बिक जाता है।")
NIGHT = ("Οι ψαράδες ανάβουν λάμπες τη νύχτα.", "Το φως τραβά τα καλαμάρια στην επιφάνεια.")
