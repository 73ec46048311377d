"""The analysis file, and what its words become: functions of events, and a plan of what each stage is given.

===============================  ============================================================================================
name                             question
===============================  ============================================================================================
load, parse, embedded, Analysis  what does an analysis file say? (that of a file, of plain values, one that ships with verax)
schema                           what may it say?
written                          what file would say the same?
plan, Plan                       what is each stage given?
Reading, Learning, Histograms    the parts: what is read, learnt and histogrammed,
Variable                         which columns are shown beside the fit?
Arranged                         which parameters of the fit come of a systematic,
Modelling, Inference, Campaign   what is the likelihood, and what is asked of it and of pseudo-experiments?
Wording                          what does the report say that is in no result?
simulated, observed, Read        which events are read, and how many are dropped?
Scale                            what multiplies the weights of a sample, and why?
reading_files, events_of         what of new files would be read for the features?
stored, Stored                   which templates are histograms in files?
files, placed, check_duplicates  which files are read, and is a row read twice?
own_functions                    which functions of the user's are called?
passed                           which events does a selection keep?
===============================  ============================================================================================

Words that choose functions: ``HEADS``, ``Ensemble``, ``FunctionEffect``, ``FunctionScore``, ``OnnxScore``, ``Factor``,
``Treatment``, ``Channels``, ``VariedFiles``, ``UserEffect``; ``Named`` and ``Own`` are functions of the user's.
"""

from ._arrangement import Arranged as Arranged
from ._effects import FunctionEffect as FunctionEffect
from ._expressions import passed as passed
from ._files import check_duplicates as check_duplicates
from ._files import files as files
from ._files import own_functions as own_functions
from ._files import placed as placed
from ._functions import Named as Named
from ._functions import Own as Own
from ._heads import HEADS as HEADS
from ._load import embedded as embedded
from ._load import load as load
from ._load import parse as parse
from ._load import schema as schema
from ._methods import Ensemble as Ensemble
from ._onnx import OnnxScore as OnnxScore
from ._parts import Campaign as Campaign
from ._parts import Histograms as Histograms
from ._parts import Inference as Inference
from ._parts import Learning as Learning
from ._parts import Modelling as Modelling
from ._parts import Plan as Plan
from ._parts import Reading as Reading
from ._parts import UserEffect as UserEffect
from ._parts import Variable as Variable
from ._parts import Wording as Wording
from ._plan import plan as plan
from ._samples import Read as Read
from ._samples import observed as observed
from ._samples import simulated as simulated
from ._scale import Scale as Scale
from ._schema import Analysis as Analysis
from ._scoring import events_of as events_of
from ._scoring import reading_files as reading_files
from ._sections import Factor as Factor
from ._sections import Treatment as Treatment
from ._stored import Stored as Stored
from ._stored import stored as stored
from ._summary import Channels as Channels
from ._summary import FunctionScore as FunctionScore
from ._systematics import VariedFiles as VariedFiles
from ._written import written as written
