/* The scores of a binary CatBoost model with symmetric trees, to the last bit.

   CatBoost makes a pool of every call, which takes longer than the trees of one row. Its
   arithmetic is kept: features as float32, leaves added tree by tree in double, then scale,
   bias and the logistic function. `trees.py` packs a model, and compares a probe with CatBoost
   before it relies on this. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <string.h>

#define BLOCK 64
/* From so many rows on, a split of all of them is quicker than all splits of each. */
#define MANY 4
#define MOST_SPLITS 16
#define CAPSULE "lockstep.trees"

/* A feature above the border sets the bit of its split. `leaf` is where a tree's leaves begin. */
typedef struct { int32_t feature; float border; } Split;
typedef struct { int32_t splits; Py_ssize_t leaf; } Tree;

typedef struct {
    Py_ssize_t features, trees;
    double scale, bias;
    /* Of each feature, whether a null is above every border or below. */
    uint8_t *null_is_high;
    Tree *tree;
    Split *split;
    double *leaf;
} Model;

static void free_model(Model *model)
{
    if (model == NULL)
        return;
    PyMem_Free(model->null_is_high);
    PyMem_Free(model->tree);
    PyMem_Free(model->split);
    PyMem_Free(model->leaf);
    PyMem_Free(model);
}

static void free_capsule(PyObject *capsule)
{
    free_model(PyCapsule_GetPointer(capsule, CAPSULE));
}

/* A copy of a buffer; NULL with an exception set. An empty one has an address too. */
static void *copied(const Py_buffer *from)
{
    void *to = PyMem_Malloc(from->len ? (size_t)from->len : 1);
    if (to == NULL)
        PyErr_NoMemory();
    else
        memcpy(to, from->buf, (size_t)from->len);
    return to;
}

/* Whether trees, splits and leaves fit each other: afterwards nothing is read past an end. */
static int fits(const Model *model, const int32_t *depths, Py_ssize_t splits, Py_ssize_t leaves)
{
    Py_ssize_t split = 0, leaf = 0;
    for (Py_ssize_t t = 0; t < model->trees; t++) {
        if (depths[t] < 0 || depths[t] > MOST_SPLITS)
            return 0;
        model->tree[t] = (Tree){depths[t], leaf};
        split += depths[t];
        leaf += (Py_ssize_t)1 << depths[t];
    }
    for (Py_ssize_t s = 0; s < splits && split == splits; s++)
        if (model->split[s].feature < 0 || model->split[s].feature >= model->features)
            return 0;
    return split == splits && leaf == leaves;
}

/* The model of these buffers; NULL with an exception set. */
static Model *new_model(const Py_buffer *nulls, const Py_buffer *depths, const Py_buffer *splits,
                        const Py_buffer *leaves, double scale, double bias)
{
    Model *model = PyMem_Calloc(1, sizeof *model);
    if (model == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    model->scale = scale;
    model->bias = bias;
    model->features = nulls->len;
    model->trees = depths->len / (Py_ssize_t)sizeof(int32_t);
    model->tree = PyMem_New(Tree, model->trees + 1);
    if (model->tree == NULL)
        PyErr_NoMemory();
    else if ((model->null_is_high = copied(nulls)) && (model->split = copied(splits))
             && (model->leaf = copied(leaves))) {
        if (fits(model, depths->buf, splits->len / (Py_ssize_t)sizeof(Split),
                 leaves->len / (Py_ssize_t)sizeof(double)))
            return model;
        PyErr_SetString(PyExc_ValueError, "depths, splits and leaves do not fit each other");
    }
    free_model(model);
    return NULL;
}

PyDoc_STRVAR(pack_doc,
"pack(null_is_high, depths, splits, leaves, scale, bias) -> model\n--\n\n"
"A model from uint8 a feature, int32 a tree, (int32, float32) a split and float64 a leaf.");

static PyObject *pack(PyObject *module, PyObject *args)
{
    Py_buffer nulls, depths, splits, leaves;
    double scale, bias;
    PyObject *capsule = NULL;
    if (!PyArg_ParseTuple(args, "y*y*y*y*dd", &nulls, &depths, &splits, &leaves, &scale, &bias))
        return NULL;
    Model *model = new_model(&nulls, &depths, &splits, &leaves, scale, bias);
    if (model != NULL && (capsule = PyCapsule_New(model, CAPSULE, free_capsule)) == NULL)
        free_model(model);
    PyBuffer_Release(&nulls);
    PyBuffer_Release(&depths);
    PyBuffer_Release(&splits);
    PyBuffer_Release(&leaves);
    return capsule;
}

/* The rows of a block, feature by feature. */
static void turn(const Model *model, const double *rows, Py_ssize_t count, float *columns)
{
    for (Py_ssize_t f = 0; f < model->features; f++)
        for (Py_ssize_t r = 0; r < count; r++) {
            float value = (float)rows[r * model->features + f];
            int is_high = isnan(value) && model->null_is_high[f];
            columns[f * BLOCK + r] = is_high ? INFINITY : value;
        }
}

/* What the trees add up to. A null is above no border: so compares NaN. */
static void add_trees(const Model *model, const float *columns, Py_ssize_t count, double *sums)
{
    const Split *split = model->split;
    for (Py_ssize_t t = 0; t < model->trees; t++) {
        const double *leaves = model->leaf + model->tree[t].leaf;
        uint32_t leaf[BLOCK] = {0};
        for (int32_t s = 0; s < model->tree[t].splits; s++, split++) {
            const float *column = columns + split->feature * BLOCK, border = split->border;
            for (Py_ssize_t r = 0; r < count; r++)
                leaf[r] |= (uint32_t)(column[r] > border) << s;
        }
        for (Py_ssize_t r = 0; r < count; r++)
            sums[r] += leaves[leaf[r]];
    }
}

/* The same for one row of a block: its leaf stays in a register. */
static double trees_of_row(const Model *model, const float *columns)
{
    const Split *split = model->split;
    double sum = 0;
    for (Py_ssize_t t = 0; t < model->trees; t++) {
        uint32_t leaf = 0;
        for (int32_t s = 0; s < model->tree[t].splits; s++, split++)
            leaf |= (uint32_t)(columns[split->feature * BLOCK] > split->border) << s;
        sum += model->leaf[model->tree[t].leaf + leaf];
    }
    return sum;
}

static void score_block(const Model *model, const double *rows, Py_ssize_t count, float *columns,
                        double *scores)
{
    double sums[BLOCK] = {0};
    turn(model, rows, count, columns);
    if (count >= MANY)
        add_trees(model, columns, count, sums);
    else
        for (Py_ssize_t r = 0; r < count; r++)
            sums[r] = trees_of_row(model, columns + r);
    for (Py_ssize_t r = 0; r < count; r++)
        scores[r] = 1 / (1 + exp(-(sums[r] * model->scale + model->bias)));
}

PyDoc_STRVAR(score_doc,
"score(model, rows, out) -> None\n--\n\n"
"Fills `out` with a score for each of `rows`, float64 (rows, features); NaN is null.");

static PyObject *score(PyObject *module, PyObject *args)
{
    PyObject *capsule, *done = NULL;
    Py_buffer rows, out;
    if (!PyArg_ParseTuple(args, "Oy*w*", &capsule, &rows, &out))
        return NULL;
    Model *model = PyCapsule_GetPointer(capsule, CAPSULE);
    Py_ssize_t count = out.len / (Py_ssize_t)sizeof(double);
    float *columns = NULL;
    if (model == NULL)
        ;
    else if (rows.len != count * model->features * (Py_ssize_t)sizeof(double))
        PyErr_SetString(PyExc_ValueError, "rows have a number a feature, out has one a row");
    else if ((columns = PyMem_New(float, model->features * BLOCK + 1)) == NULL)
        PyErr_NoMemory();
    else {
        for (Py_ssize_t at = 0; at < count; at += BLOCK)
            score_block(model, (double *)rows.buf + at * model->features,
                        count - at < BLOCK ? count - at : BLOCK, columns, (double *)out.buf + at);
        done = Py_NewRef(Py_None);
    }
    PyMem_Free(columns);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&out);
    return done;
}

static PyMethodDef functions[] = {
    {"pack", pack, METH_VARARGS, pack_doc},
    {"score", score, METH_VARARGS, score_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_trees", NULL, 0, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__trees(void)
{
    return PyModuleDef_Init(&definition);
}
