package reference

import "math"

// operator computes a result from its operands: first the required ones, then the optional
// ones.
type operator struct {
	required, most int
	apply          func(c *call) (tensor, error)
}

// operators are all those supported, except Scan, which has many results.
var operators = map[string]operator{
	"Abs":            {1, 1, unary(math.Abs, func(x int64) int64 { return max(x, -x) })},
	"Add":            {2, 2, arithmetic(plus[float64], plus[int64])},
	"And":            {2, 2, logic(func(x, y bool) bool { return x && y })},
	"Atan":           {1, 1, unary(math.Atan, nil)},
	"Cast":           {1, 1, cast},
	"Clip":           {1, 3, clip},
	"Concat":         {1, many, concat},
	"Constant":       {0, 0, constant},
	"Cos":            {1, 1, unary(math.Cos, nil)},
	"CumSum":         {2, 2, cumSum},
	"Div":            {2, 2, divide},
	"Equal":          {2, 2, equal},
	"Exp":            {1, 1, unary(math.Exp, nil)},
	"Expand":         {2, 2, expand},
	"Flatten":        {1, 1, flatten},
	"Floor":          {1, 1, unary(math.Floor, nil)},
	"Gather":         {2, 2, gather},
	"GatherElements": {2, 2, gatherElements},
	"Gemm":           {2, 3, gemm},
	"Greater":        {2, 2, compare(func(x, y float64) bool { return x > y }, func(x, y int64) bool { return x > y })},
	"GreaterOrEqual": {2, 2, compare(func(x, y float64) bool { return x >= y }, func(x, y int64) bool { return x >= y })},
	"Identity":       {1, 1, func(c *call) (tensor, error) { return c.in[0], nil }},
	"Less":           {2, 2, compare(func(x, y float64) bool { return x < y }, func(x, y int64) bool { return x < y })},
	"LessOrEqual":    {2, 2, compare(func(x, y float64) bool { return x <= y }, func(x, y int64) bool { return x <= y })},
	"Log":            {1, 1, unary(math.Log, nil)},
	"LogSoftmax":     {1, 1, normalise(logSoftmax)},
	"MatMul":         {2, 2, matMul},
	"Max":            {1, many, arithmetic(larger[float64], larger[int64])},
	"Min":            {1, many, arithmetic(smaller[float64], smaller[int64])},
	"Mul":            {2, 2, arithmetic(times[float64], times[int64])},
	"Neg":            {1, 1, unary(func(x float64) float64 { return -x }, func(x int64) int64 { return -x })},
	"Not":            {1, 1, not},
	"Or":             {2, 2, logic(func(x, y bool) bool { return x || y })},
	"Pad":            {2, 4, pad},
	"Pow":            {2, 2, power},
	"Range":          {3, 3, arange},
	"ReduceMax":      {1, 2, reduce(fold[float64]{math.Inf(-1), larger[float64]}, fold[int64]{math.MinInt64, larger[int64]})},
	"ReduceMean":     {1, 2, mean},
	"ReduceMin":      {1, 2, reduce(fold[float64]{math.Inf(1), smaller[float64]}, fold[int64]{math.MaxInt64, smaller[int64]})},
	"ReduceProd":     {1, 2, reduce(fold[float64]{1, times[float64]}, fold[int64]{1, times[int64]})},
	"ReduceSum":      {1, 2, sum},
	"Relu":           {1, 1, unary(positive[float64], positive[int64])},
	"Reshape":        {2, 2, reshape},
	"Shape":          {1, 1, shapeOf},
	"Sigmoid":        {1, 1, unary(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, nil)},
	"Sin":            {1, 1, unary(math.Sin, nil)},
	"Slice":          {3, 5, slice},
	"Softmax":        {1, 1, normalise(softmax)},
	"Sqrt":           {1, 1, unary(math.Sqrt, nil)},
	"Squeeze":        {1, 2, squeeze},
	"Sub":            {2, 2, arithmetic(func(x, y float64) float64 { return x - y }, func(x, y int64) int64 { return x - y })},
	"Tanh":           {1, 1, unary(math.Tanh, nil)},
	"Transpose":      {1, 1, transpose},
	"Unsqueeze":      {2, 2, unsqueeze},
	"Where":          {3, 3, where},
	"Xor":            {2, 2, logic(func(x, y bool) bool { return x != y })},

	"ConstantOfShape": {1, 1, constantOfShape},
}

// many is the maximum for operators that take any number of operands.
const many = math.MaxInt

func plus[T number](x, y T) T    { return x + y }
func times[T number](x, y T) T   { return x * y }
func larger[T number](x, y T) T  { return max(x, y) }
func smaller[T number](x, y T) T { return min(x, y) }
func positive[T number](x T) T   { return max(x, 0) }
